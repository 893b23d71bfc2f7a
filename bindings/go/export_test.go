package cosslice

// What the tests see of the inside.

// Held is how many closures C has.
func Held() int64 { return held.Load() }

var CheckLibrary = checkLibrary
