package cosslice

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
)

// A call is an upload or a request under way, as the program's functions see it that are called meanwhile.
type call struct {
	ctx          context.Context
	bucket, path string
	// signing is ctx for a signer, but is done only by endSigning: after C was told to cancel, so that what a signer then returns
	// is not taken for the reason.
	signing    context.Context
	endSigning context.CancelCauseFunc

	mu sync.Mutex
	// The first error that one of the program's functions brought, as examined gave it.
	cause error
}

func newCall(ctx context.Context, bucket, path string) *call {
	signing, end := context.WithCancelCause(context.WithoutCancel(ctx))
	return &call{ctx: ctx, bucket: bucket, path: path, signing: signing, endSigning: end}
}

// wasCancelled is said once C was told to cancel the call.
func (c *call) wasCancelled() { c.endSigning(context.Cause(c.ctx)) }

// fail keeps the error that a function of the program brought, for the error of the call, and gives the number that C is told.
func (c *call) fail(err error) int32 {
	number, _, cause := examined(err)
	c.keep(cause)
	return number
}

// keep keeps what examined gave.
func (c *call) keep(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = cause
	}
}

// causes are what lies behind a failure of this status.
func (c *call) causes(status Status) []error {
	switch status {
	case ErrCancelled:
		if c.ctx.Err() != nil {
			return contextErrors(c.ctx)
		}
	case ErrAbortedByCallback, ErrFileRead, ErrSigner:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.cause != nil {
			return []error{c.cause}
		}
	}
	return nil
}

// panicked is the panic of a function that came too late to end the call.
func (c *call) panicked() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if panicked, ok := c.cause.(*PanicError); ok {
		return panicked
	}
	return nil
}

func (s *shared) begin(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active[c] = struct{}{}
}

func (s *shared) end(c *call) {
	c.endSigning(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.active, c)
}

// asking are the calls that a signature may be asked for. C tells the object, or a directory above it that is to be made, and not
// which upload it is; several to one object are rare.
func (s *shared) asking(bucket, path string) []*call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*call
	for c := range s.active {
		object := strings.TrimPrefix(c.path, "/")
		isAbove := strings.HasSuffix(path, "/") && strings.HasPrefix(object+"/", path)
		if c.bucket == bucket && (object == path || isAbove) {
			found = append(found, c)
		}
	}
	return found
}

// contextOf is done when all the calls are cancelled or over. The function releases it.
func contextOf(calls []*call) (context.Context, context.CancelFunc) {
	if len(calls) == 1 {
		return context.WithCancel(calls[0].signing)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	var left atomic.Int64
	left.Store(int64(len(calls)))
	stops := make([]func() bool, 0, len(calls))
	for _, c := range calls {
		stops = append(stops, context.AfterFunc(c.signing, func() {
			if left.Add(-1) == 0 {
				cancel(context.Cause(c.signing))
			}
		}))
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel(nil)
	}
}
