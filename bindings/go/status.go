package cosslice

// #include <cos_slice.h>
import "C"

// A Status is how a call ended, in one word: the numbers COS_SLICE_OK and COS_SLICE_ERR_* of the C interface. The set is open:
// a library that is newer than this package may have more, and a number that is not listed here is a failure like the others.
//
// A Status is an error, so that errors.Is(err, cosslice.ErrObjectExists) tells what went wrong.
type Status int32

// What a Status may be. [Error.Message] says more of each failure.
const (
	// The upload is complete.
	OK Status = C.COS_SLICE_OK
	// An argument or a setting is not acceptable; the message names it. Nothing was sent.
	ErrInvalidArgument Status = C.COS_SLICE_ERR_INVALID_ARGUMENT
	// The handle is running, or the call is not allowed inside a callback.
	ErrBusy Status = C.COS_SLICE_ERR_BUSY
	// A defect of this library was caught at its boundary; the handle can only be freed.
	ErrPanic Status = C.COS_SLICE_ERR_PANIC
	// The file can't be opened, or is not a regular file.
	ErrFileOpen Status = C.COS_SLICE_ERR_FILE_OPEN
	// Reading the source failed.
	ErrFileRead Status = C.COS_SLICE_ERR_FILE_READ
	// The source changed while it was being uploaded; no mixed object was made.
	ErrSourceChanged Status = C.COS_SLICE_ERR_SOURCE_CHANGED
	// The system refused memory, threads, descriptors or room for a temporary file.
	ErrResources Status = C.COS_SLICE_ERR_RESOURCES
	// Another process, or another upload of this one, is at work with the same checkpoint. Nothing was sent.
	ErrCheckpointBusy Status = C.COS_SLICE_ERR_CHECKPOINT_BUSY
	// The signer gave no usable signature; the message says why.
	ErrSigner Status = C.COS_SLICE_ERR_SIGNER
	// The upload has to go back to a part of the stream that can't be read once more.
	ErrNotRestartable Status = C.COS_SLICE_ERR_NOT_RESTARTABLE
	// The host name could not be looked up.
	ErrResolve Status = C.COS_SLICE_ERR_RESOLVE
	// No connection to the server could be made.
	ErrConnect Status = C.COS_SLICE_ERR_CONNECT
	// The server's certificate was not accepted, or it does not speak TLS.
	ErrTLS Status = C.COS_SLICE_ERR_TLS
	// Connections kept breaking.
	ErrConnectionLost Status = C.COS_SLICE_ERR_CONNECTION_LOST
	// The server did not answer, or no byte moved, within the time limits.
	ErrTimedOut Status = C.COS_SLICE_ERR_TIMED_OUT
	// The replies can't be understood; is this the right endpoint?
	ErrBadReply Status = C.COS_SLICE_ERR_BAD_REPLY
	// The server refused the request; the server code says why.
	ErrRefused Status = C.COS_SLICE_ERR_REFUSED
	// The server did not accept the app id, the secret or the signature.
	ErrCredentials Status = C.COS_SLICE_ERR_CREDENTIALS
	// The bucket does not exist there.
	ErrNoBucket Status = C.COS_SLICE_ERR_NO_BUCKET
	// An object of this name with other content exists, and overwriting is off.
	ErrObjectExists Status = C.COS_SLICE_ERR_OBJECT_EXISTS
	// Somebody else's unfinished upload, or one of other content, is in the way.
	ErrOtherUpload Status = C.COS_SLICE_ERR_OTHER_UPLOAD
	// The path's directory does not exist there.
	ErrNotFound Status = C.COS_SLICE_ERR_NOT_FOUND
	// The content is larger than the service accepts, than was said, or than may be spooled.
	ErrTooLarge Status = C.COS_SLICE_ERR_TOO_LARGE
	// The server kept asking to slow down.
	ErrServerBusy Status = C.COS_SLICE_ERR_SERVER_BUSY
	// The server kept failing.
	ErrServerFailed Status = C.COS_SLICE_ERR_SERVER_FAILED
	// What the server received is, by its digests, not what was sent, twice over.
	ErrContentRejected Status = C.COS_SLICE_ERR_CONTENT_REJECTED
	// The server reported success, but its own record of the object contradicts that.
	ErrVerifyFailed Status = C.COS_SLICE_ERR_VERIFY_FAILED
	// The object may be complete or not, and the server would not say which; the message tells how to check.
	ErrOutcomeUnknown Status = C.COS_SLICE_ERR_OUTCOME_UNKNOWN
	// The upload was cancelled; running it again resumes.
	ErrCancelled Status = C.COS_SLICE_ERR_CANCELLED
	// The progress callback asked to stop; running it again resumes.
	ErrAbortedByCallback Status = C.COS_SLICE_ERR_ABORTED_BY_CALLBACK
	// The deadline for the whole upload passed; running it again resumes.
	ErrDeadline Status = C.COS_SLICE_ERR_DEADLINE
	// The upload was not over when the waiting time was.
	ErrStillRunning Status = C.COS_SLICE_ERR_STILL_RUNNING
	// There is nothing to wait for: the upload was not started.
	ErrNotStarted Status = C.COS_SLICE_ERR_NOT_STARTED
)

// Error is what the status means, in one sentence.
func (s Status) Error() string {
	return C.GoString(C.cos_slice_status_meaning(C.int32_t(s)))
}

// Name is the status's name in the C interface, such as "COS_SLICE_ERR_OBJECT_EXISTS". A number that the library does not know
// is "COS_SLICE_ERR_UNKNOWN".
func (s Status) Name() string {
	return C.GoString(C.cos_slice_status_name(C.int32_t(s)))
}
