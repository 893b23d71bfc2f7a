//go:build !cgo

package cosslice

// The compiler shows this sentence.
var _ int = "cosslice needs cgo: set CGO_ENABLED=1, and have a C compiler for the target"
