//go:build cgo && cos_slice_static

package cosslice

// pkg-config also names the library in the way that prefers the shared one. The archive is named first and has every symbol,
// so with --as-needed nothing of the shared one is wanted any more.

// #cgo LDFLAGS: -l:libcos_slice.a -Wl,--as-needed
// #cgo pkg-config: --static cos_slice
import "C"
