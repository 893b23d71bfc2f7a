package cosslice_test

import (
	"fmt"
	"os"
	"testing"
)

// The examples find the service where a program would: in its environment.
func TestMain(m *testing.M) {
	os.Exit(withService(m))
}

func withService(m *testing.M) int {
	directory, err := os.MkdirTemp("", "cosslice")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(directory)
	service, stop, err := launchEmulator(directory)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stop()
	os.Setenv("COS_SLICE_ENDPOINT", service.endpoint)
	os.Setenv("COS_SLICE_APP_ID", appID)
	os.Setenv("COS_SLICE_SECRET_ID", secretID)
	os.Setenv("COS_SLICE_SECRET_KEY", secretKey)
	return m.Run()
}
