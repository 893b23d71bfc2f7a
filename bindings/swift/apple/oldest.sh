# The oldest systems that the package is for, told to the compilers of Rust and C. Package.swift says the same.
# shellcheck shell=bash
export IPHONEOS_DEPLOYMENT_TARGET=16.0 MACOSX_DEPLOYMENT_TARGET=13.0
