package cosslice

// #include <cos_slice.h>
import "C"

// An Answer is what a request of an [Operation] brought: plain data, of which Kind tells what there is. Numbers that are not told
// are -1, texts empty.
type Answer struct {
	// Kind is what it is an answer to, and which.
	Kind AnswerKind
	// Session is what to send slices with, of AnswerSession and AnswerUnfinished. It may change from one to the next, and the
	// newest counts. Any process and machine may use it.
	Session string
	// SliceSize is the length in bytes of every slice but the last one, of AnswerSession and AnswerUnfinished: the server's choice,
	// which has to be obeyed.
	SliceSize int64
	// Offset is, of AnswerSession with files/v1, that of the slice to send next; with files/v2 it is 0. Of AnswerStored it is the
	// offset that the server names.
	Offset int64
	// Serial is whether the server demands, with AnswerSession or AnswerUnfinished, that slices are sent one after another, in
	// order.
	Serial bool
	// Size is the object's in bytes, of AnswerUnfinished, AnswerStatus and AnswerHashed.
	Size int64
	// Received is how many of the object's bytes the server has, of AnswerUnfinished and AnswerStatus.
	Received int64
	// SHA1 is the object's in 40 lower-case hexadecimal digits: of AnswerHashed, of AnswerUnfinished where the upload was begun
	// with one, of AnswerStatus where the server tells it.
	SHA1 string
	// Parts are the runs of bytes that the server has, of AnswerUnfinished, in order, with a gap between any two.
	Parts []Part

	// AccessURL is the object's address for the public, of AnswerComplete and AnswerStatus, as far as the service tells it; so
	// are the others.
	AccessURL string
	// SourceURL is the address at the store itself, past the content delivery network.
	SourceURL string
	// URL is the address for operations of the API on the object.
	URL string
	// ResourcePath is the object's place within the service, "/appid/bucket/path".
	ResourcePath string
	// PreviewURL is the address of a preview, where the service makes one.
	PreviewURL string
	// VID names the work that completing the object set off at the service, where it did.
	VID string
}

// A Part is a run of bytes that the server has, of one slice or of several that touch.
type Part struct {
	Offset, Length int64
}

// An AnswerKind is what an [Answer] is. More may come.
type AnswerKind int32

// What an AnswerKind may be.
const (
	// There is no answer.
	AnswerNone AnswerKind = C.COS_SLICE_ANSWER_NONE
	// To Init: an upload was begun; send slices with this session.
	AnswerSession AnswerKind = C.COS_SLICE_ANSWER_SESSION
	// The object is complete, and these are its addresses.
	AnswerComplete AnswerKind = C.COS_SLICE_ANSWER_COMPLETE
	// To List: there is an unfinished upload, of which the service has these parts.
	AnswerUnfinished AnswerKind = C.COS_SLICE_ANSWER_UNFINISHED
	// To Slice: the service has it.
	AnswerStored AnswerKind = C.COS_SLICE_ANSWER_STORED
	// To Stat: what the service says of the object.
	AnswerStatus AnswerKind = C.COS_SLICE_ANSWER_STATUS
	// To List and Stat: there is nothing at this path.
	AnswerAbsent AnswerKind = C.COS_SLICE_ANSWER_ABSENT
	// To Delete: there is nothing at this path any more.
	AnswerDeleted AnswerKind = C.COS_SLICE_ANSWER_DELETED
	// To CreateDirectory: the directory is there, now or since before.
	AnswerCreated AnswerKind = C.COS_SLICE_ANSWER_CREATED
	// To Hash: the SHA-1 of the source.
	AnswerHashed AnswerKind = C.COS_SLICE_ANSWER_HASHED
)

func answerOf(c *C.cos_slice_answer) *Answer {
	a := &Answer{
		Kind:         AnswerKind(C.cos_slice_answer_kind(c)),
		Session:      C.GoString(C.cos_slice_answer_session(c)),
		SliceSize:    int64(C.cos_slice_answer_slice_size(c)),
		Offset:       int64(C.cos_slice_answer_offset(c)),
		Serial:       C.cos_slice_answer_serial(c) == 1,
		Size:         int64(C.cos_slice_answer_size(c)),
		Received:     int64(C.cos_slice_answer_received(c)),
		SHA1:         C.GoString(C.cos_slice_answer_sha1(c)),
		AccessURL:    C.GoString(C.cos_slice_answer_access_url(c)),
		SourceURL:    C.GoString(C.cos_slice_answer_source_url(c)),
		URL:          C.GoString(C.cos_slice_answer_url(c)),
		ResourcePath: C.GoString(C.cos_slice_answer_resource_path(c)),
		PreviewURL:   C.GoString(C.cos_slice_answer_preview_url(c)),
		VID:          C.GoString(C.cos_slice_answer_vid(c)),
	}
	for i := range C.cos_slice_answer_part_count(c) {
		var offset, length C.int64_t
		C.cos_slice_answer_part(c, i, &offset, &length)
		a.Parts = append(a.Parts, Part{int64(offset), int64(length)})
	}
	return a
}
