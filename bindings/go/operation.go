package cosslice

// #include <cos_slice.h>
import "C"

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// An OperationConfig is what the requests of an [Operation] have to say. The zero value of each field is that it says nothing of
// it.
type OperationConfig struct {
	// File is the name of the regular file that has the whole object, for Hash, Slice and Upload. It is opened by the first of
	// them and kept open; a change from then on is [ErrSourceChanged].
	File string
	// Bytes are the whole object in memory, in the place of File; they are copied. An empty slice that is not nil is an empty
	// object.
	Bytes []byte
	// Size is the whole object's in bytes, for an operation without a source; with one it must be the source's.
	Size int64
	// SHA1 is the whole object's in 40 hexadecimal digits, as Hash told it, here or elsewhere. Where Init had it, every Slice and
	// Finish must have it too.
	SHA1 string
	// SliceSize is the slice size in bytes that Init asks for; the server may choose another ([Answer.SliceSize]).
	SliceSize int64
	// BizAttr is an attribute that the service keeps with the object, for Init and Upload.
	BizAttr string
	// Overwrite lets Init and Upload replace an object of other content.
	Overwrite bool
	// Attempts are the most attempts at one request, 1 for no repetition at all. 0: as many as an upload has.
	Attempts int
}

// An Operation makes requests to one object or directory, one at a time, for a program that has a flow of its own. Several
// processes or machines can so send slices of one file into one session, and one of them finishes. Nothing of what an upload does
// by itself is done then: what a lost answer left behind, and whether an unfinished upload is of this content, is for the program
// to find out.
//
// Each request returns when it is over, and occupies a thread of the system until then. The context ends it as that of an upload
// does; it may have had its effect. A second request of the same Operation meanwhile is [ErrBusy].
type Operation struct {
	client       *Client
	bucket, path string
	handle       *C.cos_slice_operation
	cleanup      runtime.Cleanup

	mu     sync.Mutex
	busy   bool
	closed bool
}

// Operation makes an Operation for a path of a bucket. What is not acceptable is reported by its requests. Call Close when it is no
// longer needed.
func (c *Client) Operation(bucket, path string, config OperationConfig) (*Operation, error) {
	o := &Operation{client: c, bucket: bucket, path: path}
	var t texts
	defer t.free()
	err := c.use(func(client *C.cos_slice_client) {
		o.handle = C.cos_slice_operation_new(client, t.text(bucket), t.text(path))
	})
	if err != nil {
		return nil, err
	}
	config.apply(o.handle, &t)
	o.cleanup = runtime.AddCleanup(o, func(handle *C.cos_slice_operation) { C.cos_slice_operation_free(handle) }, o.handle)
	return o, nil
}

// apply sets what is not zero; the first request reports what was refused.
func (config *OperationConfig) apply(handle *C.cos_slice_operation, t *texts) {
	if file := []byte(config.File); len(file) != 0 {
		C.cos_slice_operation_set_file_bytes(handle, unsafe.Pointer(&file[0]), C.size_t(len(file)))
	}
	if len(config.Bytes) != 0 {
		C.cos_slice_operation_set_memory(handle, unsafe.Pointer(&config.Bytes[0]), C.size_t(len(config.Bytes)))
	} else if config.Bytes != nil {
		C.cos_slice_operation_set_memory(handle, nil, 0)
	}
	if config.Size != 0 {
		C.cos_slice_operation_set_size(handle, C.int64_t(config.Size))
	}
	if config.SHA1 != "" {
		C.cos_slice_operation_set_sha1(handle, t.text(config.SHA1))
	}
	if config.SliceSize != 0 {
		C.cos_slice_operation_set_slice_size(handle, C.int64_t(config.SliceSize))
	}
	if config.BizAttr != "" {
		C.cos_slice_operation_set_biz_attr(handle, t.text(config.BizAttr))
	}
	if config.Overwrite {
		C.cos_slice_operation_set_overwrite(handle, 1)
	}
	if config.Attempts != 0 {
		C.cos_slice_operation_set_attempts(handle, narrow(config.Attempts))
	}
}

// Close ends the operation; a request that is under way goes on to its end. Answers stay. To close twice does nothing.
func (o *Operation) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closed = true
		o.cleanup.Stop()
		o.freeIfUnused()
	}
	return nil
}

func (o *Operation) freeIfUnused() {
	if o.closed && !o.busy {
		C.cos_slice_operation_free(o.handle)
		o.handle = nil
	}
}

// Hash takes the SHA-1 of the source and the running states of it that Init sends along: one reading of the source, without a
// request. What follows on this Operation has them; others need only [OperationConfig.SHA1]. The answer is [AnswerHashed].
func (o *Operation) Hash(ctx context.Context) (*Answer, error) {
	return o.request(ctx, "", func(answer **C.cos_slice_answer, failure **C.cos_slice_error) C.int32_t {
		return C.cos_slice_operation_hash(o.handle, answer, failure)
	})
}

// Init begins a slice upload. The answer is [AnswerSession], or [AnswerComplete] where the service has this very content there.
//
// With files/v2 it is [ErrOtherUpload] where there is an unfinished upload, with the server code -4019 one of this SHA-1 or of an
// unknown one: List it, and go on with that session if it is the same object; -4020 one of another: Delete removes it. With
// files/v1 it goes on with the session where that is not empty, and [Answer.Offset] tells where; files/v2 has no use for it.
func (o *Operation) Init(ctx context.Context, session string) (*Answer, error) {
	return o.request(ctx, session, func(answer **C.cos_slice_answer, failure **C.cos_slice_error) C.int32_t {
		return C.cos_slice_operation_init(o.handle, answer, failure)
	})
}

// Slice sends length bytes of the source from offset on as one slice of the session. An offset is a multiple of the slice size
// that was answered, a length that size, or less for the last slice. The answer is [AnswerStored]; with files/v1 the slice that
// completes the object answers [AnswerComplete].
//
// With files/v2 slices may go in any order and at once unless [Answer.Serial]; with files/v1 one after another.
func (o *Operation) Slice(ctx context.Context, session string, offset, length int64) (*Answer, error) {
	return o.request(ctx, session, func(answer **C.cos_slice_answer, failure **C.cos_slice_error) C.int32_t {
		return C.cos_slice_operation_slice(o.handle, C.int64_t(offset), C.int64_t(length), answer, failure)
	})
}

// List asks what the service has of an unfinished upload. The answer is [AnswerUnfinished] with its session and its parts,
// [AnswerComplete] or [AnswerAbsent]. Not with files/v1, which has Init for it.
func (o *Operation) List(ctx context.Context) (*Answer, error) {
	return o.request(ctx, "", func(answer **C.cos_slice_answer, failure **C.cos_slice_error) C.int32_t {
		return C.cos_slice_operation_list(o.handle, answer, failure)
	})
}

// Finish makes the object out of the slices of the session. The answer is [AnswerComplete]. After a lost answer a repetition may be
// refused though the object was made: Stat tells. Not with files/v1, where the last slice makes the object.
func (o *Operation) Finish(ctx context.Context, session string) (*Answer, error) {
	return o.request(ctx, session, func(answer **C.cos_slice_answer, failure **C.cos_slice_error) C.int32_t {
		return C.cos_slice_operation_finish(o.handle, answer, failure)
	})
}

// Upload sends the whole source in one request, at most 20971520 bytes, and 0 bytes too. The answer is [AnswerComplete].
func (o *Operation) Upload(ctx context.Context) (*Answer, error) {
	return o.request(ctx, "", func(answer **C.cos_slice_answer, failure **C.cos_slice_error) C.int32_t {
		return C.cos_slice_operation_upload(o.handle, answer, failure)
	})
}

// Stat asks for the object's size and SHA-1. The answer is [AnswerStatus], whose Received is less than its Size while the upload is
// unfinished, or [AnswerAbsent].
func (o *Operation) Stat(ctx context.Context) (*Answer, error) {
	return o.request(ctx, "", func(answer **C.cos_slice_answer, failure **C.cos_slice_error) C.int32_t {
		return C.cos_slice_operation_stat(o.handle, answer, failure)
	})
}

// Delete removes the object, or what there is of it with its session. The answer is [AnswerDeleted], also where there was nothing.
func (o *Operation) Delete(ctx context.Context) (*Answer, error) {
	return o.request(ctx, "", func(answer **C.cos_slice_answer, failure **C.cos_slice_error) C.int32_t {
		return C.cos_slice_operation_delete(o.handle, answer, failure)
	})
}

// CreateDirectory makes the directory that the path names, without a slash at its end. The answer is [AnswerCreated], also where it
// was there. The one above it must be there.
func (o *Operation) CreateDirectory(ctx context.Context) (*Answer, error) {
	return o.request(ctx, "", func(answer **C.cos_slice_answer, failure **C.cos_slice_error) C.int32_t {
		return C.cos_slice_operation_create_directory(o.handle, answer, failure)
	})
}

// request makes one request with a session and waits for it.
func (o *Operation) request(
	ctx context.Context, session string, verb func(**C.cos_slice_answer, **C.cos_slice_error) C.int32_t,
) (*Answer, error) {
	if err := o.begin(); err != nil {
		return nil, err
	}
	defer o.end()
	if err := enter(ctx, o.client.requests); err != nil {
		return nil, err
	}
	defer leave(o.client.requests)

	current := newCall(ctx, o.bucket, o.path)
	o.client.shared.begin(current)
	defer o.client.shared.end(current)
	var t texts
	defer t.free()
	C.cos_slice_operation_set_session(o.handle, t.optional(session))

	var answer *C.cos_slice_answer
	var failure *C.cos_slice_error
	status, wasCancelled := o.run(current, verb, &answer, &failure)
	if status == C.COS_SLICE_ERR_CANCELLED && !wasCancelled {
		// The context of the request before was done just as that was over, and the cancel was kept for this one.
		C.cos_slice_error_free(failure)
		status, _ = o.run(current, verb, &answer, &failure)
	}
	if status != C.COS_SLICE_OK {
		return nil, errorOf(status, failure, current.causes(Status(status))...)
	}
	defer C.cos_slice_answer_free(answer)
	return answerOf(answer), current.panicked()
}

// run makes the request on this thread, has the context cancel it, and tells whether that happened.
func (o *Operation) run(
	current *call, verb func(**C.cos_slice_answer, **C.cos_slice_error) C.int32_t,
	answer **C.cos_slice_answer, failure **C.cos_slice_error,
) (status C.int32_t, wasCancelled bool) {
	if current.ctx.Err() != nil {
		C.cos_slice_operation_cancel(o.handle)
		return verb(answer, failure), true
	}
	cancelled := make(chan struct{})
	stop := context.AfterFunc(current.ctx, func() {
		C.cos_slice_operation_cancel(o.handle)
		current.wasCancelled()
		close(cancelled)
	})
	status = verb(answer, failure)
	if stop() {
		return status, false
	}
	<-cancelled
	return status, true
}

// begin has the operation to itself until end.
func (o *Operation) begin() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return ErrClosed
	case o.busy:
		return &Error{
			Status: ErrBusy,
			Message: "cos://" + o.bucket + "/" + strings.TrimPrefix(o.path, "/") +
				": another request of this operation is under way; make another operation",
			SliceOffset: -1,
		}
	}
	o.busy = true
	return nil
}

func (o *Operation) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy = false
	o.freeIfUnused()
}
