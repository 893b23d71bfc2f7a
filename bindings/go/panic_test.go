package cosslice_test

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"cosslice"
)

// Its methods panic where it is nil, which a function returns as an error that is not nil.
type signingError struct{ text string }

func (e *signingError) Error() string { return e.text }

// It panics with itself, so that not even its panic can be printed.
type unprintableError struct{}

func (e unprintableError) Error() string { panic(e) }

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error)          { return 0, r.err }
func (r failingReader) ReadAt([]byte, int64) (int, error) { return 0, r.err }

func TestAnErrorWhoseMethodsPanicIsAPanicOfItsFunction(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	config := service.config()
	config.Signer = cosslice.SignerFunc(appID, func(context.Context, cosslice.SignRequest) (string, error) {
		return "", (*signingError)(nil)
	})
	unsigned := newClient(t, config)
	ctx := guarded(t)
	progress := func(err error) error {
		return bytesWith(ctx, client, cosslice.CheckProgress(func(cosslice.Progress) error { return err }))
	}
	for name, test := range map[string]struct {
		status cosslice.Status
		value  int
		call   func() error
	}{
		"signer":   {cosslice.ErrSigner, 0, func() error { return bytesWith(ctx, unsigned) }},
		"progress": {cosslice.ErrAbortedByCallback, 1, func() error { return progress((*fs.PathError)(nil)) }},
		"progress, beneath another error": {cosslice.ErrAbortedByCallback, 1, func() error {
			return progress(errors.Join(errEnough, (*fs.PathError)(nil)))
		}},
		"reader": {cosslice.ErrFileRead, -1, func() error {
			_, err := client.UploadReader(ctx, "videos", "/broken-in-order", failingReader{(*fs.PathError)(nil)}, mebibyte)
			return err
		}},
		"reader at any offset": {cosslice.ErrFileRead, -1, func() error {
			_, err := client.Upload(ctx, "videos", "/broken", failingReader{(*fs.PathError)(nil)}, mebibyte)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call()
			var failure *cosslice.Error
			var panicked *cosslice.PanicError
			var ofNil runtime.Error
			if !errors.As(err, &failure) || !errors.As(err, &panicked) || !errors.As(err, &ofNil) || !errors.Is(err, test.status) {
				t.Fatal(err)
			}
			if failure.CallbackValue != test.value || !strings.Contains(err.Error(), "nil pointer") {
				t.Errorf("%d %v", failure.CallbackValue, err)
			}
		})
	}
	if err := bytesWith(ctx, client); err != nil {
		t.Error(err)
	}
}

func TestAPanicWithAnErrorWhoseMethodsPanicIsAnErrorThatCanBeUsed(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	for name, value := range map[string]error{"nil": (*fs.PathError)(nil), "unprintable": unprintableError{}} {
		t.Run(name, func(t *testing.T) {
			for _, progress := range []func(cosslice.Progress) error{
				func(cosslice.Progress) error { panic(value) },
				func(cosslice.Progress) error { return value },
			} {
				err := bytesWith(guarded(t), client, cosslice.CheckProgress(progress))
				var panicked *cosslice.PanicError
				if !errors.As(err, &panicked) || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "panic in a callback") {
					t.Error(err)
				}
			}
		})
	}
}

func TestAContextsCauseWhoseMethodsPanicIsAPanic(t *testing.T) {
	ctx, cancel := context.WithCancelCause(guarded(t))
	cancel((*fs.PathError)(nil))
	err := bytesWith(ctx, newClient(t, startEmulator(t).config()))
	if !errors.Is(err, context.Canceled) || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "panic in a callback") {
		t.Error(err)
	}
}
