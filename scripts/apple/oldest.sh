# The oldest systems that the Swift package promises, as its manifest says too; for the compilers of Rust and C.
# shellcheck shell=bash
export IPHONEOS_DEPLOYMENT_TARGET=16.0 MACOSX_DEPLOYMENT_TARGET=13.0
