module cosslicebench

go 1.24

require cosslice v0.1.0

replace cosslice => ../../bindings/go
