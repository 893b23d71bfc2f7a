package cosslice

// #include "callbacks.h"
import "C"

import "time"

// An Option is a setting of one upload. What is not acceptable is reported by the upload, before anything is sent.
type Option func(*upload)

// OnProgress has a function told how far the upload is: at the beginning, at most ten times a second, and at the end, before the
// upload returns. It is called on the one thread that the client has for this, so it should return soon: the progress and the end
// of the client's other uploads wait. It must not upload anything itself. See [CheckProgress] for a function that may stop the
// upload.
func OnProgress(progress func(Progress)) Option {
	return CheckProgress(func(p Progress) error {
		progress(p)
		return nil
	})
}

// CheckProgress is [OnProgress] with a function that stops the upload by returning an error. The upload then ends with
// [ErrAbortedByCallback], and errors.Is finds the error there; running it again resumes.
func CheckProgress(progress func(Progress) error) Option {
	return func(u *upload) {
		u.progress = progress
		C.cosslice_set_progress(u.handle, hold(u))
	}
}

// SliceSize is the slice size to ask for, in bytes; the server may choose another. With hashing on 524288 or 1048576, which is the
// default; with hashing off 2097152 and 3145728 too; or one of [Config.SliceSizes].
func SliceSize(bytes int64) Option {
	return func(u *upload) { C.cos_slice_upload_set_slice_size(u.handle, C.int64_t(bytes)) }
}

// Hash is whether to take the source's SHA-1 before it is sent. It is on unless set, but for a reader that is not spooled, which
// can't be hashed first. It buys the instant upload of content that the server has already, the server's own verification, and the
// proof on resumption that what it has is of this very content; it costs one reading of the source.
func Hash(on bool) Option {
	return func(u *upload) { C.cos_slice_upload_set_hash(u.handle, boolean(on)) }
}

// Overwrite replaces an object of other content at the path. Without it such an object is left alone, and the upload is
// [ErrObjectExists].
func Overwrite() Option {
	return func(u *upload) { C.cos_slice_upload_set_overwrite(u.handle, 1) }
}

// CreateParents makes the directories above the object where the service says that the path does not exist. Without it such an
// upload is [ErrNotFound].
func CreateParents() Option {
	return func(u *upload) { C.cos_slice_upload_set_create_parents(u.handle, 1) }
}

// DiscardUnfinished throws away an unfinished upload at the path that is not of this content. Without it such an upload is
// [ErrOtherUpload]. Use it only where nobody else uploads to the path.
func DiscardUnfinished() Option {
	return func(u *upload) { C.cos_slice_upload_set_discard_unfinished(u.handle, 1) }
}

// Verify is whether the server's record of the object is compared with the source at the end. It is on unless set.
func Verify(on bool) Option {
	return func(u *upload) { C.cos_slice_upload_set_verify(u.handle, boolean(on)) }
}

// BizAttr is an attribute that the service keeps with the object for the application: UTF-8 without control characters, at most
// 4096 bytes.
func BizAttr(text string) Option {
	return func(u *upload) { C.cos_slice_upload_set_biz_attr(u.handle, u.text(text)) }
}

// SingleRequestLimit sends sources up to this many bytes in one request instead of slices, 0 to 20971520; such an upload can't be
// resumed. Only empty sources go so without it.
func SingleRequestLimit(bytes int64) Option {
	return func(u *upload) { C.cos_slice_upload_set_single_request_limit(u.handle, C.int64_t(bytes)) }
}

// Deadline is the longest that the whole upload may take, from a millisecond to a year, rounded up to milliseconds; then it ends
// with [ErrDeadline], once a read of the source or a function of the program that is under way has returned. Without it there is
// no such limit but that of the context, which serves as well.
func Deadline(d time.Duration) Option {
	return func(u *upload) { C.cos_slice_upload_set_deadline_ms(u.handle, in(time.Millisecond, d)) }
}

// RateLimit is how many bytes a second the requests of this upload may send, beside [Config.RateLimit]: 1024 to 2^53, or 0 for no
// limit, as without it. See [ControlRate] for one that changes while the upload runs.
func RateLimit(bytesPerSecond int64) Option {
	return func(u *upload) { C.cos_slice_upload_set_rate_limit(u.handle, C.int64_t(bytesPerSecond)) }
}

// ControlRate is [RateLimit] by a control, which can change it while the upload runs.
func ControlRate(control *RateControl) Option {
	return func(u *upload) { control.begin(u) }
}

// Range makes a part of the source the whole object: length bytes from offset on, or all that follow where length is -1. Not for
// an io.Reader.
func Range(offset, length int64) Option {
	return func(u *upload) { C.cos_slice_upload_set_range(u.handle, C.int64_t(offset), C.int64_t(length)) }
}

// Spool has what an io.Reader gives written to a temporary file before it is sent, up to limit bytes, at most 68719476736. Then it
// may be of unknown size, is hashed like a file, and any part can be sent once more. The file is made in the directory, or where
// the system has temporary files if that is empty; it has no name there, so nothing is left of it.
func Spool(directory string, limit int64) Option {
	return func(u *upload) { C.cos_slice_upload_set_spool(u.handle, u.optional(directory), C.int64_t(limit)) }
}
