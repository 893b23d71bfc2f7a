module cosslice

go 1.24
