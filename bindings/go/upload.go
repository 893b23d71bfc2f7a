package cosslice

// #include "callbacks.h"
import "C"

import (
	"context"
	"io"
	"io/fs"
	"os"
	"unsafe"
)

// UploadFile uploads the file of a name, symbolic links followed, to a path of a bucket, such as "videos" and "/2026/big.mp4"; the
// path's leading slash makes no difference. The name may be of any encoding. It must be a regular file, and must not change until
// the upload is over: a change is noticed and is [ErrSourceChanged].
//
// For this and all uploads: the call returns when the upload is over. Without an error the object is there, complete, and is the
// source. Otherwise the error is an [*Error], or [ErrClosed]; to run the same upload again goes on with what the server has. When
// the context is done the upload is cancelled, and the call returns soon after, once a read of the source or a function of the
// program that is under way has returned; errors.Is then finds the context's error. An upload that is complete by then is no
// error; where a function of the program panicked nonetheless, the object is returned together with the [*PanicError].
//
// While it waits an upload occupies a goroutine, not a thread of the system.
func (c *Client) UploadFile(ctx context.Context, bucket, path, name string, options ...Option) (*Object, error) {
	return c.upload(ctx, bucket, path, options, func(u *upload) error {
		u.setFile([]byte(name))
		return nil
	})
}

// UploadOpenFile uploads what a regular file that is open for reading has, else as [Client.UploadFile]. Its position is neither
// used nor moved; [Range] chooses a part. The library has a descriptor of its own, so closing the file does not disturb the
// upload.
func (c *Client) UploadOpenFile(ctx context.Context, bucket, path string, file *os.File, options ...Option) (*Object, error) {
	return c.upload(ctx, bucket, path, options, func(u *upload) error {
		connection, err := file.SyscallConn()
		if err != nil {
			return err
		}
		// C duplicates the descriptor, which stays open as long.
		err = connection.Control(func(descriptor uintptr) {
			C.cos_slice_upload_set_descriptor(u.handle, C.int32_t(descriptor))
		})
		if err != nil {
			return &fs.PathError{Op: "upload", Path: file.Name(), Err: os.ErrClosed}
		}
		return nil
	})
}

// UploadBytes uploads bytes in memory, else as [Client.UploadFile]. They are copied when the upload begins: use a file for what is
// large, or [Client.Upload] with a bytes.Reader.
func (c *Client) UploadBytes(ctx context.Context, bucket, path string, data []byte, options ...Option) (*Object, error) {
	return c.upload(ctx, bucket, path, options, func(u *upload) error {
		u.setMemory(data)
		return nil
	})
}

// Upload uploads size bytes that a reader gives at any offset and any number of times, else as [Client.UploadFile]. It must give
// the same bytes for the same offset. ReadAt is called on several goroutines at once, and into memory of the library: it must not
// keep the slice that it is given. Use [Client.UploadOpenFile] for an *os.File, which also notices that it is changed.
//
// ReadAt may block, which holds up every end of the upload: a cancel, a deadline and a failure elsewhere. Close what it reads from to
// end it. What it returns as an error ends the upload with [ErrFileRead], and errors.Is finds it there.
func (c *Client) Upload(ctx context.Context, bucket, path string, reader io.ReaderAt, size int64, options ...Option) (*Object, error) {
	return c.upload(ctx, bucket, path, options, func(u *upload) error {
		C.cosslice_set_read_at(u.handle, C.int64_t(size), hold(&readerAtSource{u, reader}))
		return nil
	})
}

// UploadReader uploads what a reader gives, once and in its order, else as [Client.UploadFile]: a pipe, a recording. The size is
// the number of bytes, or -1 where it is not known; then [Spool] is needed.
//
// Of known size, and without [Spool], it is sent while it is read, each slice held in memory until the server has it. There is no
// SHA-1 before it is sent, and a part that the server lost after it was let go ends the upload with [ErrNotRestartable]. A reader
// with fewer bytes than size ends it with [ErrSourceChanged], one with more with [ErrTooLarge].
//
// Read is called by one goroutine at a time, and into memory of the library: it must not keep the slice that it is given. It may
// block, which holds up every end of the upload: a cancel, a deadline and a failure, such as a slice that the service refuses. Close
// what it reads from to end it.
func (c *Client) UploadReader(ctx context.Context, bucket, path string, reader io.Reader, size int64, options ...Option) (*Object, error) {
	return c.upload(ctx, bucket, path, options, func(u *upload) error {
		C.cosslice_set_stream(u.handle, C.int64_t(size), hold(&readerSource{upload: u, reader: reader}))
		return nil
	})
}

// An upload under way.
type upload struct {
	*call
	handle   *C.cos_slice_upload
	progress func(Progress) error
	// What may change its rate limit; nil where nothing does.
	rate *RateControl
	// Closed when the run is over.
	over chan struct{}
	// Texts of the options.
	texts
}

func (c *Client) upload(ctx context.Context, bucket, path string, options []Option, source func(*upload) error) (*Object, error) {
	u := &upload{call: newCall(ctx, bucket, path), over: make(chan struct{})}
	defer u.free()
	err := c.use(func(client *C.cos_slice_client) {
		u.handle = C.cos_slice_upload_new(client, u.text(bucket), u.text(path))
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		u.leaveRateControl()
		C.cos_slice_upload_free(u.handle)
	}()
	if err := source(u); err != nil {
		return nil, &Error{Status: ErrFileOpen, Message: err.Error(), SliceOffset: -1, causes: []error{err}}
	}
	for _, option := range options {
		option(u)
	}
	C.cosslice_set_completion(u.handle, hold(u))
	c.shared.begin(u.call)
	defer c.shared.end(u.call)
	return u.run(c.starts)
}

// run starts the upload and waits for its end as a goroutine does, not as a thread.
func (u *upload) run(starts chan struct{}) (*Object, error) {
	var failure *C.cos_slice_error
	status, err := u.start(starts, &failure)
	if err != nil {
		return nil, err
	}
	if status == C.COS_SLICE_OK {
		select {
		case <-u.over:
		case <-u.ctx.Done():
			C.cos_slice_upload_cancel(u.handle)
			u.wasCancelled()
			<-u.over
		}
		// It is over, so this returns as soon as the callback has.
		status = C.cos_slice_upload_wait(u.handle, -1, &failure)
	}
	if status != C.COS_SLICE_OK {
		err := errorOf(status, failure, u.causes(Status(status))...)
		err.Warning = C.GoString(C.cos_slice_upload_warning(u.handle))
		return nil, err
	}
	return objectOf(u.handle), u.panicked()
}

// start begins to run the upload, which may open files, among few others that do. A context that is done already has C say so.
func (u *upload) start(starts chan struct{}, failure **C.cos_slice_error) (C.int32_t, error) {
	if u.ctx.Err() != nil {
		C.cos_slice_upload_cancel(u.handle)
		return C.cos_slice_upload_start(u.handle, failure), nil
	}
	if err := enter(u.ctx, starts); err != nil {
		return 0, err
	}
	defer leave(starts)
	return C.cos_slice_upload_start(u.handle, failure), nil
}

// readerAtSource is what C holds of an io.ReaderAt.
type readerAtSource struct {
	upload *upload
	reader io.ReaderAt
}

// readerSource is what C holds of an io.Reader.
type readerSource struct {
	upload *upload
	reader io.Reader
	// What came along with the last bytes.
	err error
}

// A reader may return nothing and no error so often before it counts as broken.
const emptyReads = 100

// next reads some bytes, or gives the error that there are no more.
func (s *readerSource) next(p []byte) (n int, err error) {
	for range emptyReads {
		if s.err != nil {
			return 0, s.err
		}
		n, s.err = s.reader.Read(p)
		if n != 0 {
			return n, nil
		}
	}
	return 0, io.ErrNoProgress
}

func (u *upload) setFile(name []byte) {
	if len(name) == 0 {
		C.cos_slice_upload_set_file_bytes(u.handle, nil, 0)
		return
	}
	C.cos_slice_upload_set_file_bytes(u.handle, unsafe.Pointer(&name[0]), C.size_t(len(name)))
}

func (u *upload) setMemory(data []byte) {
	if len(data) == 0 {
		C.cos_slice_upload_set_memory(u.handle, nil, 0)
		return
	}
	C.cos_slice_upload_set_memory(u.handle, unsafe.Pointer(&data[0]), C.size_t(len(data)))
}
