package cosslice

// #include <cos_slice.h>
//
// #if COS_SLICE_ABI_VERSION != 0
// #error "this version of the Go package is for ABI version 0 of cos_slice.h"
// #endif
import "C"

import (
	"fmt"
	"strings"
)

// Version is that of the library that is running, such as "0.1.0".
func Version() string { return C.GoString(C.cos_slice_version()) }

// Features is what the library that is running can do, such as "files-v2" and "https", in no particular order.
func Features() []string { return strings.Fields(C.GoString(C.cos_slice_features())) }

// wrongLibrary is why the library that is running is not the one that this package was compiled for; nil where it is.
var wrongLibrary = checkLibrary(uint32(C.cos_slice_abi_version()), uint32(C.cos_slice_version_number()), Version())

// checkLibrary compares the running library with the header: of the same ABI version, and not older.
func checkLibrary(abi, number uint32, version string) error {
	header := fmt.Sprintf("%d.%d.%d", C.COS_SLICE_VERSION_MAJOR, C.COS_SLICE_VERSION_MINOR, C.COS_SLICE_VERSION_PATCH)
	switch {
	case abi != C.COS_SLICE_ABI_VERSION:
		return invalid("the program was compiled for cos_slice %s (ABI version %d), and runs with cos_slice %s (ABI version %d): "+
			"compile it again, or have the loader find the other library", header, C.COS_SLICE_ABI_VERSION, version, abi)
	case number < C.COS_SLICE_VERSION_NUMBER:
		return invalid("the program was compiled for cos_slice %s, and runs with the older cos_slice %s: "+
			"install the newer library, or have the loader find it", header, version)
	}
	return nil
}
