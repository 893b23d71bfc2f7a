package cosslice

// #include <cos_slice.h>
import "C"

import "sync"

// A RateControl is a rate limit that may change while uploads run: each that was given it by [ControlRate] may send so many bytes
// a second, by itself. The zero value is no limit. Its method may be called by any number of goroutines at once, also in functions
// that the library calls. It must not be copied once it was used.
type RateControl struct {
	mu             sync.Mutex
	bytesPerSecond int64
	uploads        map[*upload]struct{} // those under way
}

// Set changes the limit, from now on, for uploads under way and those to come: 1024 to 2^53 bytes a second, or 0 for none. The
// error is an [*Error] where that is not acceptable, and the limit stays as it was.
func (r *RateControl) Set(bytesPerSecond int64) error {
	if err := checkRateLimit(bytesPerSecond); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytesPerSecond = bytesPerSecond
	for u := range r.uploads {
		C.cos_slice_upload_set_rate_limit(u.handle, C.int64_t(bytesPerSecond))
	}
	return nil
}

// begin gives an upload the limit, that of now and later ones, in place of another control's.
func (r *RateControl) begin(u *upload) {
	u.leaveRateControl()
	u.rate = r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.uploads == nil {
		r.uploads = make(map[*upload]struct{})
	}
	r.uploads[u] = struct{}{}
	C.cos_slice_upload_set_rate_limit(u.handle, C.int64_t(r.bytesPerSecond))
}

// leaveRateControl is said before the handle is freed.
func (u *upload) leaveRateControl() {
	if r := u.rate; r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.uploads, u)
	}
}

// checkRateLimit has the library judge a limit, by a client that is for nothing else: one that is in use would remember what it
// refused, and its next upload would tell.
func checkRateLimit(bytesPerSecond int64) error {
	client := C.cos_slice_client_new()
	defer C.cos_slice_client_free(client)
	if C.cos_slice_client_set_rate_limit(client, C.int64_t(bytesPerSecond)) == C.COS_SLICE_OK {
		return nil
	}
	return firstRefused(client)
}
