package cosslice

// #include <cos_slice.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// ErrClosed is what methods of a [Client] or an [Operation] return after Close.
var ErrClosed = errors.New("cosslice: it was closed")

var errImpossibleCount = errors.New("cosslice: the reader says that it read more than there was room for, or less than nothing")

// An Error is why a call failed. It is plain data, which stays as it is whatever becomes of the client.
//
// errors.Is finds in it:
//   - its [Status]: errors.Is(err, cosslice.ErrObjectExists);
//   - the context's error, where the context ended the call: errors.Is(err, context.Canceled); and context.DeadlineExceeded
//     where the time of [Deadline] passed, too;
//   - what the program's own reader, signer or progress function returned, and a [*PanicError] where it panicked;
//   - the system's error: errors.Is(err, fs.ErrNotExist).
type Error struct {
	// Status is the kind of failure.
	Status Status
	// Message is what happened, where, what the server said and what to do next: one line without secrets. Never empty.
	Message string
	// ServerCode is the service's own code, such as -97; 0 where it gave none.
	ServerCode int64
	// HTTPStatus is that of the answer, such as 403; 0 where there was no answer.
	HTTPStatus int
	// RequestID is the service's identifier of the request, which its support asks for; empty where there is none.
	RequestID string
	// Operation is the operation that failed, as the service's documentation calls it, such as "upload_slice_data"; empty where
	// the failure was not a request's.
	Operation string
	// SliceOffset is the offset in bytes of the slice whose request failed; -1 where it was not about a slice.
	SliceOffset int64
	// Attempts is how often the request that failed was attempted; 0 where the failure was not a request's.
	Attempts int
	// OSErrno is the system's error number; 0 where there is none.
	OSErrno syscall.Errno
	// CallbackValue stands for the error of the program's own reader or progress function: its [syscall.Errno] where it has one,
	// else 1, and negative for a reader. 0 where the failure was no such error's.
	CallbackValue int
	// Warning is what was noticed besides and did not end the upload, such as a checkpoint that could not be written.
	Warning string

	retryable bool
	// What the program's functions and its context brought, as examined gave it.
	causes []error
}

// Error is the message, and the error of the program's own that it does not repeat yet.
func (e *Error) Error() string {
	text := "cosslice: " + e.Message
	for _, cause := range e.causes {
		if told := cause.Error(); !strings.Contains(text, told) {
			text += ": " + told
		}
	}
	return text
}

// Retryable tells whether running the same upload again, unchanged, may well succeed: later, or once the network or the file is
// well again. Otherwise something has to be changed first. An upload that is run again goes on with what the server has.
func (e *Error) Retryable() bool { return e.retryable }

// Is reports whether the target is the status, or context.DeadlineExceeded for a [Deadline] that passed.
func (e *Error) Is(target error) bool {
	if status, ok := target.(Status); ok {
		return status == e.Status
	}
	return e.Status == ErrDeadline && target == context.DeadlineExceeded
}

// Unwrap gives what lies behind the failure.
func (e *Error) Unwrap() []error {
	if e.OSErrno == 0 {
		return e.causes
	}
	return append(e.causes[:len(e.causes):len(e.causes)], e.OSErrno)
}

// A PanicError is a panic in a function of the program that the library called: a progress function, reader, signer or log
// handler. It ended there; the upload ended with this error.
type PanicError struct {
	// Value is what panic was called with.
	Value any
	// Stack is the stack of the goroutine that panicked, as of debug.Stack.
	Stack []byte
}

// Error names the value, or its type where its own methods panic; the stack is in Stack.
func (e *PanicError) Error() string {
	text := fmt.Sprintf("panic in a callback: %T", e.Value)
	_ = guarded(func() error {
		text = fmt.Sprintf("panic in a callback: %v", e.Value)
		return nil
	})
	return text
}

// Unwrap is the value where that is an error, and one whose own methods do not panic.
func (e *PanicError) Unwrap() error {
	value, ok := e.Value.(error)
	if !ok {
		return nil
	}
	if _, _, panicked := tried(value); panicked != nil {
		return nil
	}
	return value
}

// errorOf copies an error of C and frees it. NULL stands for a failure of which no more than the status is known.
func errorOf(status C.int32_t, failure *C.cos_slice_error, causes ...error) *Error {
	defer C.cos_slice_error_free(failure)
	e := &Error{
		Status:        Status(status),
		Message:       C.GoString(C.cos_slice_error_message(failure)),
		ServerCode:    int64(C.cos_slice_error_server_code(failure)),
		HTTPStatus:    int(C.cos_slice_error_http_status(failure)),
		RequestID:     C.GoString(C.cos_slice_error_request_id(failure)),
		Operation:     C.GoString(C.cos_slice_error_operation(failure)),
		SliceOffset:   int64(C.cos_slice_error_slice_offset(failure)),
		Attempts:      int(C.cos_slice_error_attempts(failure)),
		OSErrno:       syscall.Errno(C.cos_slice_error_os_errno(failure)),
		CallbackValue: int(C.cos_slice_error_callback_value(failure)),
		retryable:     C.cos_slice_error_is_retryable(failure) != 0,
		causes:        causes,
	}
	if e.Message == "" {
		e.Message = e.Status.Error()
	}
	return e
}

// invalid is an error that C was not asked for.
func invalid(format string, arguments ...any) *Error {
	return &Error{Status: ErrInvalidArgument, Message: fmt.Sprintf(format, arguments...), SliceOffset: -1}
}

// numberOf stands for an error where C takes no more than a number, which is never 0.
func numberOf(err error) int32 {
	var errno syscall.Errno
	if errors.As(err, &errno) && errno != 0 {
		return int32(errno)
	}
	return 1
}
