package cosslice_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"cosslice"
)

type panickingReader struct{}

func (panickingReader) Read([]byte) (int, error)          { panic(errEnough) }
func (panickingReader) ReadAt([]byte, int64) (int, error) { panic(errEnough) }

func TestAPanicInAClosureIsAnErrorAndTheClientGoesOn(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	config := service.config()
	config.Signer = cosslice.SignerFunc(appID, func(context.Context, cosslice.SignRequest) (string, error) { panic(errEnough) })
	unsigned := newClient(t, config)
	operation, err := unsigned.Operation("videos", "/panic", cosslice.OperationConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer operation.Close()
	ctx := guarded(t)
	for name, test := range map[string]struct {
		status cosslice.Status
		call   func() error
	}{
		"progress": {cosslice.ErrAbortedByCallback, func() error {
			return bytesWith(ctx, client, cosslice.OnProgress(func(cosslice.Progress) { panic(errEnough) }))
		}},
		"reader at any offset": {cosslice.ErrFileRead, func() error {
			_, err := client.Upload(ctx, "videos", "/panic", panickingReader{}, mebibyte)
			return err
		}},
		"reader": {cosslice.ErrFileRead, func() error {
			_, err := client.UploadReader(ctx, "videos", "/panic-in-order", panickingReader{}, mebibyte)
			return err
		}},
		"signer": {cosslice.ErrSigner, func() error { return bytesWith(ctx, unsigned) }},
		"signer of a request": {cosslice.ErrSigner, func() error {
			_, err := operation.Stat(ctx)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call()
			var panicked *cosslice.PanicError
			if !errors.As(err, &panicked) || !errors.Is(err, test.status) || !errors.Is(err, errEnough) {
				t.Fatal(err)
			}
			if panicked.Value != errEnough || !strings.Contains(string(panicked.Stack), "callback_test.go") {
				t.Errorf("%v\n%s", panicked.Value, panicked.Stack)
			}
		})
	}
	// A nil function is a panic like any other.
	var panicked *cosslice.PanicError
	if err := bytesWith(ctx, client, cosslice.OnProgress(nil)); !errors.As(err, &panicked) {
		t.Error(err)
	}
	if err := bytesWith(ctx, client); err != nil {
		t.Error(err)
	}
}

func TestAPanicThatComesTooLateToStopAnUploadIsReturnedWithItsObject(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	object, err := client.UploadBytes(guarded(t), "videos", "/late", []byte("abc"), cosslice.OnProgress(func(p cosslice.Progress) {
		if p.Phase == cosslice.Done {
			panic(errEnough)
		}
	}))
	var panicked *cosslice.PanicError
	if object == nil || object.Size != 3 || !errors.As(err, &panicked) || panicked.Value != errEnough {
		t.Error(object, err)
	}
}

func TestASignersErrorIsFoundInTheUploads(t *testing.T) {
	config := startEmulator(t).config()
	config.Signer = cosslice.SignerFunc(appID, func(context.Context, cosslice.SignRequest) (string, error) {
		return "", errEnough
	})
	client := newClient(t, config)
	err := bytesWith(guarded(t), client)
	if !errors.Is(err, errEnough) || !errors.Is(err, cosslice.ErrSigner) || strings.Count(err.Error(), errEnough.Error()) != 1 {
		t.Error(err)
	}
}

func TestASignerIsToldWhatItSignsAndItsSignatureIsTaken(t *testing.T) {
	config := startEmulator(t).config()
	var mu sync.Mutex
	var asked []cosslice.SignRequest
	config.Signer = cosslice.SignerFunc(appID, func(_ context.Context, request cosslice.SignRequest) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, request)
		return cosslice.Sign(key, cosslice.SignatureScopePath, request)
	})
	config.SignatureLifetime = 777e9
	client := newClient(t, config)
	if _, err := client.UploadBytes(guarded(t), "videos", "/2026/big.mp4", content(3*mebibyte, 15)); err != nil {
		t.Fatal(err)
	}
	want := cosslice.SignRequest{
		Kind: cosslice.MultiEffect, Operation: "upload_slice_init", AppID: appID, Bucket: "videos", Path: "2026/big.mp4", Lifetime: 777e9,
	}
	if len(asked) != 1 || asked[0] != want {
		t.Errorf("%+v", asked)
	}
}

func TestSignNamesWhatIsNotAcceptable(t *testing.T) {
	request := cosslice.SignRequest{Bucket: "videos", Path: "a"}
	if text, err := cosslice.Sign(key, cosslice.SignatureScopePath, request); err != nil || text == "" {
		t.Error(err)
	}
	for name, sign := range map[string]func() (string, error){
		"scope": func() (string, error) { return cosslice.Sign(key, 99, request) },
		"bucket": func() (string, error) {
			return cosslice.Sign(key, cosslice.SignatureScopePath, cosslice.SignRequest{Path: "a"})
		},
		"lifetime": func() (string, error) {
			return cosslice.Sign(key, cosslice.SignatureScopePath, cosslice.SignRequest{Bucket: "videos", Path: "a", Lifetime: -1})
		},
	} {
		if text, err := sign(); text != "" || !errors.Is(err, cosslice.ErrInvalidArgument) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
}

func TestWhatHappensIsLoggedWithItsParts(t *testing.T) {
	service := startEmulator(t)
	service.fault(t, `{"operation":"upload_slice_data","offset":1048576,"action":{"status":500,"code":-195}}`)
	var mu sync.Mutex
	var text bytes.Buffer
	config := service.config()
	config.Logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &text}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client := newClient(t, config)
	if _, err := client.UploadBytes(guarded(t), "videos", "/logged", content(2*mebibyte, 16)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	var found string
	for line := range strings.Lines(text.String()) {
		if strings.Contains(line, "level=WARN") && strings.Contains(line, "server_code=-195") {
			found = line
		}
	}
	for _, part := range []string{
		"bucket=videos", "path=", "operation=upload_slice_data", "offset=1048576", "attempt=1", "http_status=500", "request_id=",
	} {
		if !strings.Contains(found, part) {
			t.Errorf("no %s in %q of\n%s", part, found, text.String())
		}
	}
	if strings.Contains(text.String(), secretKey+" ") {
		t.Error("the key is in the log")
	}
}

type lockedWriter struct {
	mu   *sync.Mutex
	text *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func TestAnEnabledLevelIsAskedForEachTime(t *testing.T) {
	var mu sync.Mutex
	var text bytes.Buffer
	var level slog.LevelVar
	level.Set(slog.LevelError)
	config := startEmulator(t).config()
	config.Logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &text}, &slog.HandlerOptions{Level: &level}))
	client := newClient(t, config)
	if err := bytesWith(guarded(t), client); err != nil || text.Len() != 0 {
		t.Error(err, text.String())
	}
	level.Set(slog.LevelDebug)
	if err := bytesWith(guarded(t), client); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(text.String(), "level=DEBUG") {
		t.Errorf("%q", text.String())
	}
}

type panickingHandler struct{ slog.Handler }

func (panickingHandler) Enabled(context.Context, slog.Level) bool { panic(errEnough) }

func TestAPanicInALogHandlerIsReturnedByCloseAndStopsNoUpload(t *testing.T) {
	config := startEmulator(t).config()
	config.Logger = slog.New(panickingHandler{slog.DiscardHandler})
	client, err := cosslice.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := bytesWith(guarded(t), client); err != nil {
		t.Error(err)
	}
	var panicked *cosslice.PanicError
	if err := client.Close(); !errors.As(err, &panicked) || panicked.Value != errEnough {
		t.Error(err)
	}
}
