//go:build cgo && !cos_slice_static

package cosslice

// #cgo pkg-config: cos_slice
import "C"
