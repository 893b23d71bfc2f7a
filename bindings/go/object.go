package cosslice

// #include <cos_slice.h>
import "C"

import "fmt"

// An Object is what an upload made of its source, and how.
type Object struct {
	// Outcome is how the object came to be there.
	Outcome Outcome
	// Size is the object's size in bytes.
	Size int64
	// SHA1 is the source's in 40 lower-case hexadecimal digits; empty with [Hash] off, but for an io.Reader.
	SHA1 string
	// Verified is whether the server's record of the object was compared with the source at the end and agrees. It is false where
	// there was none to be had, or [Verify] is off.
	Verified bool

	// AccessURL is the object's address for the public, as the service told it, as all addresses here; each is empty where it told
	// none. It may name another host than the endpoint.
	AccessURL string
	// SourceURL is the address at the store itself, past the content delivery network.
	SourceURL string
	// URL is the address for operations of the API on the object.
	URL string
	// ResourcePath is the object's place within the service, "/appid/bucket/path".
	ResourcePath string
	// PreviewURL is the address of a preview, where the service makes one.
	PreviewURL string
	// VID names the work that completing the object set off at the service, where it did, to ask about it elsewhere.
	VID string

	// BytesSent are the bytes of slices that the server acknowledged.
	BytesSent int64
	// BytesResumed are the bytes that the server had before.
	BytesResumed int64
	// SlicesSent are the slices that the server acknowledged.
	SlicesSent int64
	// Retries are the requests that were repeated.
	Retries int64
	// Warning is what was noticed and did no harm, in one line: a checkpoint that could not be written, say. Empty otherwise.
	Warning string
}

func objectOf(u *C.cos_slice_upload) *Object {
	return &Object{
		Outcome:      Outcome(C.cos_slice_upload_outcome(u)),
		Size:         int64(C.cos_slice_upload_size(u)),
		SHA1:         C.GoString(C.cos_slice_upload_sha1(u)),
		Verified:     C.cos_slice_upload_verified(u) != 0,
		AccessURL:    C.GoString(C.cos_slice_upload_access_url(u)),
		SourceURL:    C.GoString(C.cos_slice_upload_source_url(u)),
		URL:          C.GoString(C.cos_slice_upload_url(u)),
		ResourcePath: C.GoString(C.cos_slice_upload_resource_path(u)),
		PreviewURL:   C.GoString(C.cos_slice_upload_preview_url(u)),
		VID:          C.GoString(C.cos_slice_upload_vid(u)),
		BytesSent:    int64(C.cos_slice_upload_bytes_sent(u)),
		BytesResumed: int64(C.cos_slice_upload_bytes_resumed(u)),
		SlicesSent:   int64(C.cos_slice_upload_slices_sent(u)),
		Retries:      int64(C.cos_slice_upload_retries(u)),
		Warning:      C.GoString(C.cos_slice_upload_warning(u)),
	}
}

// An Outcome is how an object came to be there. More may come.
type Outcome int32

// What an Outcome may be.
const (
	// There is no object.
	OutcomeNone Outcome = C.COS_SLICE_OUTCOME_NONE
	// All of it was sent.
	Uploaded Outcome = C.COS_SLICE_OUTCOME_UPLOADED
	// Part of it was there from an unfinished upload.
	Resumed Outcome = C.COS_SLICE_OUTCOME_RESUMED
	// The server had the same content; no slice was sent.
	Instant Outcome = C.COS_SLICE_OUTCOME_INSTANT
)

// String is the outcome in a word.
func (o Outcome) String() string {
	switch o {
	case OutcomeNone:
		return "none"
	case Uploaded:
		return "uploaded"
	case Resumed:
		return "resumed"
	case Instant:
		return "instant"
	}
	return fmt.Sprintf("outcome %d", int32(o))
}

// Progress is how far an upload is. All counts are of the object's bytes, not of what HTTP adds.
type Progress struct {
	// Phase is what the upload is busy with.
	Phase Phase
	// Total is the object's size in bytes; 0 until the source was opened.
	Total int64
	// Acknowledged are the bytes that the server has acknowledged, each counted once, those that it had before included. It never
	// falls, and never exceeds Total.
	Acknowledged int64
	// Resumed are how many of these the server had before.
	Resumed int64
	// Hashed are the bytes hashed so far; 0 with [Hash] off.
	Hashed int64
	// SlicesDone are the slices that the server has.
	SlicesDone int64
	// SlicesTotal are the slices that there are in all; 0 until the server has chosen their size.
	SlicesTotal int64
	// Retries are the requests that were repeated.
	Retries int64
}

func progressOf(c *C.cos_slice_progress) Progress {
	return Progress{
		Phase:        Phase(c.phase),
		Total:        int64(c.total),
		Acknowledged: int64(c.acknowledged),
		Resumed:      int64(c.resumed),
		Hashed:       int64(c.hashed),
		SlicesDone:   int64(c.slices_done),
		SlicesTotal:  int64(c.slices_total),
		Retries:      int64(c.retries),
	}
}

// A Phase is what an upload is busy with. More may come.
type Phase int32

// What a Phase may be.
const (
	// Not begun.
	Waiting Phase = C.COS_SLICE_PHASE_WAITING
	// Taking the SHA-1 of the source.
	Hashing Phase = C.COS_SLICE_PHASE_HASHING
	// Asking the server what there is, and sending slices.
	Sending Phase = C.COS_SLICE_PHASE_SENDING
	// All bytes are there; the server is making the object.
	Finishing Phase = C.COS_SLICE_PHASE_FINISHING
	// Comparing the server's record with the source.
	Verifying Phase = C.COS_SLICE_PHASE_VERIFYING
	// Over, one way or the other.
	Done Phase = C.COS_SLICE_PHASE_DONE
	// Reading an io.Reader to its end, into a temporary file.
	Spooling Phase = C.COS_SLICE_PHASE_SPOOLING
)

// String is the phase in a word.
func (p Phase) String() string {
	switch p {
	case Waiting:
		return "waiting"
	case Hashing:
		return "hashing"
	case Sending:
		return "sending"
	case Finishing:
		return "finishing"
	case Verifying:
		return "verifying"
	case Done:
		return "done"
	case Spooling:
		return "spooling"
	}
	return fmt.Sprintf("phase %d", int32(p))
}
