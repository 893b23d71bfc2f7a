package cosslice

// #include <cos_slice.h>
import "C"

import (
	"context"
	"runtime"
	"sync"
)

// How many goroutines may be inside the start of an upload at once, which opens the file: each occupies a thread of the
// system meanwhile. An upload that has started occupies none.
const startsAtOnce = 4

// How many requests of operations may be under way at once where [Config.Connections] does not say: each occupies a thread of
// the system until it is answered.
const requestsAtOnce = 8

// A Client is what uploads share: where the service is, who signs, the connections and the threads. Its methods may be called by
// any number of goroutines at once; one client for the whole program is usual.
//
// It has no thread and no connection before its first upload, and then at most as many threads as connections ([Config]) and two
// more, whatever the number of uploads.
type Client struct {
	shared   *shared
	starts   chan struct{}
	requests chan struct{}

	// Held for reading while C uses the handle, so that Close can't free it meanwhile.
	mu      sync.RWMutex
	handle  *C.cos_slice_client // nil once it was closed
	cleanup runtime.Cleanup
}

// shared is what the callbacks of a client need. They must not lead to the Client itself, which would never be garbage then.
type shared struct {
	mu     sync.Mutex
	active map[*call]struct{}
	// What the log handler panicked with.
	panicked *PanicError
}

// New makes a client. The error is an [*Error] that names the setting which is not acceptable; or says that the library which is
// running is not the one that the program was compiled for.
//
// Call Close when it is no longer needed.
func New(config Config) (*Client, error) {
	if wrongLibrary != nil {
		return nil, wrongLibrary
	}
	if config.Connections != 0 && config.AdaptiveConnections != 0 {
		return nil, invalid("connections: both a fixed number and AdaptiveConnections are set, and only one can hold")
	}
	handle := C.cos_slice_client_new()
	shared := &shared{active: make(map[*call]struct{})}
	if !config.apply(handle, shared) {
		defer C.cos_slice_client_free(handle)
		return nil, firstRefused(handle)
	}
	client := &Client{
		shared:   shared,
		starts:   make(chan struct{}, startsAtOnce),
		requests: make(chan struct{}, max(config.Connections, config.AdaptiveConnections, requestsAtOnce)),
		handle:   handle,
	}
	client.cleanup = runtime.AddCleanup(client, func(handle *C.cos_slice_client) { C.cos_slice_client_free(handle) }, handle)
	return client, nil
}

// firstRefused asks a client that refused a setting which and why: an upload without a source, which would not be begun in any
// case, says so.
func firstRefused(handle *C.cos_slice_client) error {
	var t texts
	defer t.free()
	upload := C.cos_slice_upload_new(handle, t.text("bucket"), t.text("path"))
	defer C.cos_slice_upload_free(upload)
	var failure *C.cos_slice_error
	return errorOf(C.cos_slice_upload_run(upload, &failure), failure)
}

// Close ends the client. Uploads and requests that are under way go on to their end, and the last of them ends the threads; what is
// begun afterwards is [ErrClosed]. Without any under way it ends the threads itself. To close twice does nothing.
//
// The error is nil, or the [*PanicError] of a log handler.
func (c *Client) Close() error {
	c.mu.Lock()
	handle := c.handle
	c.handle = nil
	c.mu.Unlock()
	if handle == nil {
		return nil
	}
	c.cleanup.Stop()
	C.cos_slice_client_free(handle)
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	if c.shared.panicked != nil {
		return c.shared.panicked
	}
	return nil
}

// SetRateLimit changes [Config.RateLimit]: how many bytes a second all uploads of the client may send together from now on, those
// under way too; 0 is no limit. The error is an [*Error] where that is not acceptable, and the limit stays as it was; or
// [ErrClosed]. It may be called at any time, also by functions that the library calls.
func (c *Client) SetRateLimit(bytesPerSecond int64) error {
	if err := checkRateLimit(bytesPerSecond); err != nil {
		return err
	}
	return c.use(func(client *C.cos_slice_client) {
		C.cos_slice_client_set_rate_limit(client, C.int64_t(bytesPerSecond))
	})
}

// use lends the handle to a function.
func (c *Client) use(lent func(*C.cos_slice_client)) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.handle == nil {
		return ErrClosed
	}
	lent(c.handle)
	return nil
}

// enter waits for one of the places; leave gives it back.
func enter(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	default:
	}
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &Error{
			Status:      ErrCancelled,
			Message:     "cancelled before it began, while other calls of the client were beginning",
			SliceOffset: -1,
			retryable:   true,
			causes:      contextErrors(ctx),
		}
	}
}

func leave(places chan struct{}) { <-places }

// contextErrors is why a context is done, and the cause where that is another error.
func contextErrors(ctx context.Context) []error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err == cause {
		return []error{err}
	}
	_, _, cause = examined(cause)
	return []error{err, cause}
}
