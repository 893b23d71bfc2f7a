package cosslice

// What the tests see of the inside.

// Held is how many closures C has.
func Held() int64 { return held.Load() }

var CheckLibrary = checkLibrary

// Uploads is how many a control has hold of.
func (r *RateControl) Uploads() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.uploads)
}
