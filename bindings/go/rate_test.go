package cosslice_test

import (
	"errors"
	"math"
	"strings"
	"testing"

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
