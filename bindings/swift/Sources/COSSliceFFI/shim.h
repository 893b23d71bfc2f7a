/* A module map can't name a header by where pkg-config says that it is; this can. */
#include <cos_slice.h>
