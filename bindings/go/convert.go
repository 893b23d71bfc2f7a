package cosslice

// #include <stdlib.h>
// #include <string.h>
// #include <cos_slice.h>
import "C"

import (
	"math"
	"strings"
	"time"
	"unsafe"
)

// texts are what C is given of Go's strings during a call.
type texts struct {
	given []*C.char
}

// text is the string for C. A NUL would end it early, so that something else were meant: what stands in its place is no UTF-8,
// which C refuses, and names the argument.
func (t *texts) text(s string) *C.char {
	c := C.CString(strings.ReplaceAll(s, "\x00", "\xff"))
	t.given = append(t.given, c)
	return c
}

// optional is NULL for an empty string.
func (t *texts) optional(s string) *C.char {
	if s == "" {
		return nil
	}
	return t.text(s)
}

// reason is a text for people, of which C gets what it can take.
func (t *texts) reason(s string) *C.char {
	return t.text(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD"))
}

// free overwrites them too: some are secret.
func (t *texts) free() {
	for _, c := range t.given {
		C.memset(unsafe.Pointer(c), 0, C.strlen(c))
		C.free(unsafe.Pointer(c))
	}
	t.given = nil
}

func boolean(on bool) C.int32_t {
	if on {
		return 1
	}
	return 0
}

// narrow keeps a number that is too large, or too small, as such, for C to refuse.
func narrow(n int) C.int32_t {
	return C.int32_t(max(math.MinInt32, min(n, math.MaxInt32)))
}

// in is a duration in units, away from zero, so that none becomes zero.
func in(unit, d time.Duration) C.int64_t {
	whole, rest := d/unit, d%unit
	switch {
	case rest > 0:
		whole++
	case rest < 0:
		whole--
	}
	return C.int64_t(whole)
}
