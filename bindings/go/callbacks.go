package cosslice

// #include "callbacks.h"
import "C"

import (
	"errors"
	"io"
	"runtime/cgo"
	"runtime/debug"
	"sync/atomic"
	"unsafe"
)

// Everything here is called by C, on threads of the library or inside a call that this package makes. A panic must not run
// through the frames of C, so all code of the program is run by guarded, the methods of its errors included. Errors and panics
// stay in Go: C hears only that there was one, and the call of this package that returns to the program has it.

// held counts the handles that C has, so that tests see one that was never released.
var held atomic.Int64

// hold makes a handle for C, which cosSliceGoDrop releases.
func hold(value any) C.uintptr_t {
	held.Add(1)
	return C.uintptr_t(cgo.NewHandle(value))
}

// behind is what a handle of C leads to.
func behind[T any](handle C.uintptr_t) T {
	return cgo.Handle(handle).Value().(T)
}

// guarded calls run and gives its error, or a *PanicError where it panics.
func guarded(run func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	return run()
}

// examined gives an error that the program brought, with the number and the text that C is told of it; or in its place, where its
// methods panic, a *PanicError, whose own never do.
func examined(err error) (number int32, text string, cause error) {
	number, text, panicked := tried(err)
	if panicked != nil {
		return 1, panicked.Error(), panicked
	}
	return number, text, err
}

// tried calls the methods of an error, which are code of the program: those of a nil pointer may panic, say.
func tried(err error) (number int32, text string, panicked error) {
	panicked = guarded(func() error {
		number, text = numberOf(err), err.Error()
		// It looks at every error beneath.
		errors.Is(err, errNobodys)
		return nil
	})
	return number, text, panicked
}

var errNobodys = errors.New("an error that nothing is")

//export cosSliceGoDrop
func cosSliceGoDrop(handle C.uintptr_t) {
	cgo.Handle(handle).Delete()
	held.Add(-1)
}

//export cosSliceGoCompletion
func cosSliceGoCompletion(handle C.uintptr_t) {
	close(behind[*upload](handle).over)
}

//export cosSliceGoProgress
func cosSliceGoProgress(told *C.cos_slice_progress, handle C.uintptr_t) C.int32_t {
	u := behind[*upload](handle)
	err := guarded(func() error { return u.progress(progressOf(told)) })
	if err == nil {
		return 0
	}
	return C.int32_t(u.fail(err))
}

//export cosSliceGoReadAt
func cosSliceGoReadAt(offset C.uint64_t, buffer unsafe.Pointer, size C.size_t, handle C.uintptr_t) C.int64_t {
	s := behind[*readerAtSource](handle)
	return s.upload.read(buffer, size, func(p []byte) (int, error) { return s.reader.ReadAt(p, int64(offset)) })
}

//export cosSliceGoRead
func cosSliceGoRead(buffer unsafe.Pointer, size C.size_t, handle C.uintptr_t) C.int64_t {
	s := behind[*readerSource](handle)
	return s.upload.read(buffer, size, s.next)
}

// read fills C's buffer by a function of the program: the number of bytes, 0 at the end, or a negative number where it failed.
func (u *upload) read(buffer unsafe.Pointer, size C.size_t, read func([]byte) (int, error)) C.int64_t {
	var n int
	err := guarded(func() (err error) {
		n, err = read(unsafe.Slice((*byte)(buffer), int(size)))
		return err
	})
	switch {
	case n < 0 || uint64(n) > uint64(size):
		err = errImpossibleCount
	case n > 0:
		// An error that came along comes again with the next call.
		return C.int64_t(n)
	case err == io.EOF:
		return 0
	case err == nil:
		err = io.ErrNoProgress
	}
	return -C.int64_t(u.fail(err))
}

//export cosSliceGoSign
func cosSliceGoSign(request *C.cos_slice_sign_request, signature *C.cos_slice_signature, handle C.uintptr_t) C.int32_t {
	s := behind[*callbackSigner](handle)
	var t texts
	defer t.free()
	answer, isSigned := s.ask(signRequestOf(request))
	if !isSigned {
		C.cos_slice_signature_fail(signature, t.reason(answer))
		return -1
	}
	C.cos_slice_signature_set(signature, t.text(answer))
	return 0
}

//export cosSliceGoLog
func cosSliceGoLog(entry *C.cos_slice_log_entry, handle C.uintptr_t) {
	behind[*logSink](handle).write(entry)
}
