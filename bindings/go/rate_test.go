package cosslice_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"cosslice"
)

var ratesThatAreRefused = []int64{-1, 1, 1023, 1<<53 + 1, math.MinInt64, math.MaxInt64}

func namesTheRateLimit(t *testing.T, err error) {
	t.Helper()
	var failure *cosslice.Error
	if !errors.As(err, &failure) || failure.Status != cosslice.ErrInvalidArgument || !strings.HasPrefix(failure.Message, "rate_limit: ") {
		t.Error(err)
	}
}

func TestARateThatIsNotAcceptableIsNamedAndChangesNothing(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	var control cosslice.RateControl
	for _, rate := range ratesThatAreRefused {
		namesTheRateLimit(t, client.SetRateLimit(rate))
		namesTheRateLimit(t, control.Set(rate))
		namesTheRateLimit(t, bytesWith(guarded(t), client, cosslice.RateLimit(rate)))
	}
	if requests := service.requests(t); len(requests) != 0 {
		t.Errorf("%+v", requests)
	}
	if err := bytesWith(guarded(t), client, cosslice.ControlRate(&control)); err != nil {
		t.Error(err)
	}
}

func TestARateMayBeSetAtAnyTime(t *testing.T) {
	config := startEmulator(t).config()
	config.AdaptiveConnections, config.RateLimit = 256, 1<<30
	client := newClient(t, config)
	var control cosslice.RateControl
	set := func(rate int64) {
		if err := errors.Join(client.SetRateLimit(rate), control.Set(rate)); err != nil {
			t.Error(err)
		}
	}
	for _, rate := range []int64{1024, 1 << 53, 0, 1 << 30} {
		set(rate)
	}
	err := bytesWith(guarded(t), client, cosslice.ControlRate(&control), cosslice.RateLimit(1<<30),
		cosslice.OnProgress(func(p cosslice.Progress) { set(p.Acknowledged + 1<<30) }))
	if err != nil {
		t.Error(err)
	}
	set(1024)
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := client.SetRateLimit(0); !errors.Is(err, cosslice.ErrClosed) {
		t.Error(err)
	}
	namesTheRateLimit(t, client.SetRateLimit(1))
}

func TestARateHoldsAnUploadUp(t *testing.T) {
	service := startEmulator(t)
	data := content(mebibyte/2, 21)
	limited := service.config()
	limited.RateLimit = mebibyte
	for name, upload := range map[string]struct {
		config  cosslice.Config
		options []cosslice.Option
	}{
		"client": {limited, nil},
		"upload": {service.config(), []cosslice.Option{cosslice.RateLimit(mebibyte)}},
	} {
		client := newClient(t, upload.config)
		begin := time.Now()
		if _, err := client.UploadBytes(guarded(t), "videos", "/rate/"+name, data, upload.options...); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took < 400*time.Millisecond {
			t.Errorf("%s: half a MiB at a MiB a second took %v", name, took)
		}
	}
}

// At this rate the test would be over long before the upload.
const nextToNothing = 16 << 10

func TestARateThatIsRaisedWhileUploadsRunLetsThemGoOn(t *testing.T) {
	service := startEmulator(t)
	config := service.config()
	config.RateLimit = nextToNothing
	client := newClient(t, config)
	var control cosslice.RateControl
	if err := control.Set(nextToNothing); err != nil {
		t.Fatal(err)
	}
	const uploads = 3
	over := make(chan error, uploads)
	for i := range uploads {
		go func() {
			_, err := client.UploadBytes(guarded(t), "videos", fmt.Sprintf("/raised/%d", i), content(2*mebibyte, 22),
				cosslice.ControlRate(&control),
				cosslice.CheckProgress(func(cosslice.Progress) error { return client.SetRateLimit(0) }))
			over <- err
		}()
	}
	service.await(t, "upload_slice_init", uploads)
	if err := control.Set(0); err != nil {
		t.Error(err)
	}
	for range uploads {
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
}

func TestARateControlKeepsNoUploadThatIsOver(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	var control, other cosslice.RateControl
	for range 3 {
		if err := bytesWith(guarded(t), client, cosslice.ControlRate(&control), cosslice.ControlRate(&other)); err != nil {
			t.Error(err)
		}
		if err := bytesWith(guarded(t), client, cosslice.ControlRate(&control), cosslice.SliceSize(1)); err == nil {
			t.Error("it was taken")
		}
	}
	if n := control.Uploads() + other.Uploads(); n != 0 {
		t.Error(n)
	}
}
