package cosslice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"cosslice"
)

func TestAContextThatIsDoneAlreadySendsNothing(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	ctx, cancel := context.WithCancelCause(guarded(t))
	cancel(errEnough)
	_, err := client.UploadBytes(ctx, "videos", "/never", content(100, 1))
	var failure *cosslice.Error
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errEnough) || !errors.Is(err, cosslice.ErrCancelled) ||
		!errors.As(err, &failure) || !failure.Retryable() {
		t.Error(err)
	}
	operation, err := client.Operation("videos", "/never", cosslice.OperationConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer operation.Close()
	for range 100 {
		if _, err := operation.Stat(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, cosslice.ErrCancelled) {
			t.Fatal(err)
		}
	}
	if requests := service.requests(t); len(requests) != 0 {
		t.Errorf("%+v", requests)
	}
}

func TestADeadlineOfTheContextOrOfTheUploadIsDeadlineExceeded(t *testing.T) {
	service := startEmulator(t)
	service.fault(t, `{"operation":"upload_slice_init","times":0,"action":{"hang":"before"}}`)
	client := newClient(t, service.config())
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := bytesWith(ctx, client)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, cosslice.ErrCancelled) || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	err = bytesWith(guarded(t), client, cosslice.Deadline(50*time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, cosslice.ErrDeadline) || errors.Is(err, cosslice.ErrCancelled) {
		t.Error(err)
	}
}

func bytesWith(ctx context.Context, client *cosslice.Client, options ...cosslice.Option) error {
	_, err := client.UploadBytes(ctx, "videos", "/path", []byte("abc"), options...)
	return err
}

// Each of these moments is held by the service until the context is done.
func TestACancelEndsAnUploadSoonInWhateverItIsBusyWith(t *testing.T) {
	const rounds = 40
	data := content(3*mebibyte, 11)
	var took []time.Duration
	for _, moment := range []struct{ operation, action string }{
		{"upload_slice_init", `{"hang":"before"}`},
		{"upload_slice_data", `{"hang":"before"}`},
		{"upload_slice_data", `{"slow_read_bytes_per_second":1000}`},
		{"upload_slice_data", `{"status":503,"code":-96000,"headers":{"Retry-After":"10"}}`},
		{"upload_slice_finish", `{"hang":"after_effect"}`},
	} {
		service := startEmulator(t)
		service.fault(t, fmt.Sprintf(`{"operation":%q,"times":0,"action":%s}`, moment.operation, moment.action))
		client := newClient(t, service.config())
		for round := range rounds {
			ctx, cancel := context.WithCancel(guarded(t))
			over := make(chan error, 1)
			path := fmt.Sprintf("/%d", round)
			go func() {
				_, err := client.UploadBytes(ctx, "videos", path, data)
				over <- err
			}()
			if moment.action[2] == 's' && moment.action[3] == 'l' {
				// It is in the journal once it was read, which it is not here.
				service.await(t, "upload_slice_init", round+1)
			} else {
				service.await(t, moment.operation, round+1)
			}
			began := time.Now()
			cancel()
			err := <-over
			took = append(took, time.Since(began))
			if !errors.Is(err, context.Canceled) || !errors.Is(err, cosslice.ErrCancelled) {
				t.Fatalf("%+v: %v", moment, err)
			}
		}
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("of %d cancels half took at most %v, 99 of 100 %v, each %v", len(took), took[len(took)/2], p99, took[len(took)-1])
	if took[len(took)-1] > 10*time.Second {
		t.Error("a cancel was waited for")
	}
}

func TestAnUploadThatIsCompleteIsNoErrorHoweverLateTheCancel(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	ctx, cancel := context.WithCancel(guarded(t))
	object, err := client.UploadBytes(ctx, "videos", "/late", content(2*mebibyte, 12),
		cosslice.OnProgress(func(p cosslice.Progress) {
			if p.Phase == cosslice.Done {
				cancel()
			}
		}))
	if err != nil || object.Size != 2*mebibyte {
		t.Error(object, err)
	}
}

func TestAnUploadThatWasCancelledIsResumed(t *testing.T) {
	service := startEmulator(t)
	service.fault(t, `{"operation":"upload_slice_data","offset":6291456,"action":{"hang":"before"}}`)
	client := newClient(t, service.config())
	data := content(8*mebibyte, 13)
	ctx, cancel := context.WithCancel(guarded(t))
	over := make(chan error, 1)
	go func() {
		_, err := client.UploadBytes(ctx, "videos", "/resumed", data)
		over <- err
	}()
	service.await(t, "upload_slice_data&outcome_code=0", 7)
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	object, err := client.UploadBytes(guarded(t), "videos", "/resumed", data)
	if err != nil || object.Outcome != cosslice.Resumed || object.BytesResumed != 7*mebibyte || object.BytesSent != mebibyte {
		t.Fatal(object, err)
	}
}

func TestASignerHasTheContextOfTheUploadThatAsks(t *testing.T) {
	type nameOf struct{}
	config := startEmulator(t).config()
	asked := make(chan any, 2)
	config.Signer = cosslice.SignerFunc(appID, func(ctx context.Context, request cosslice.SignRequest) (string, error) {
		asked <- ctx.Value(nameOf{})
		<-ctx.Done()
		return "", context.Cause(ctx)
	})
	client := newClient(t, config)
	operation, err := client.Operation("videos", "/operation", cosslice.OperationConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer operation.Close()
	upload := func(ctx context.Context) error { return bytesWith(ctx, client) }
	request := func(ctx context.Context) error {
		_, err := operation.Stat(ctx)
		return err
	}
	for name, calls := range map[string][]func(context.Context) error{
		"one upload": {upload}, "two to one object": {upload, upload}, "request": {request},
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 {
				named := context.WithValue(guarded(t), nameOf{}, name)
				ctx, cancel := context.WithCancelCause(named)
				var group sync.WaitGroup
				for _, call := range calls {
					group.Add(1)
					go func() {
						defer group.Done()
						err := call(ctx)
						if !errors.Is(err, context.Canceled) || !errors.Is(err, cosslice.ErrCancelled) || !errors.Is(err, errEnough) {
							t.Error(err)
						}
					}()
				}
				if value := <-asked; len(calls) == 1 && value != name {
					t.Error(value)
				}
				cancel(errEnough)
				group.Wait()
				for len(asked) != 0 {
					<-asked
				}
			}
		})
		t.Run(name+", deadline", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if err := calls[0](ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, cosslice.ErrCancelled) {
				t.Error(err)
			}
			for len(asked) != 0 {
				<-asked
			}
		})
	}
}

func TestARequestIsCancelledAndTheNextOneIsNot(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	operation, err := client.Operation("videos", "/stat", cosslice.OperationConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer operation.Close()
	const rounds = 20
	for round := range rounds {
		service.fault(t, `{"operation":"stat","action":{"hang":"before"}}`)
		ctx, cancel := context.WithCancel(guarded(t))
		over := make(chan error, 1)
		go func() {
			_, err := operation.Stat(ctx)
			over <- err
		}()
		service.await(t, "stat", 2*round+1)
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if _, err := operation.Stat(guarded(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACancelThatComesJustAsARequestEndsIsNotKeptForTheNext(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	operation, err := client.Operation("videos", "/late", cosslice.OperationConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer operation.Close()
	for range 300 {
		ctx, cancel := context.WithCancel(guarded(t))
		done := make(chan struct{})
		go func() {
			cancel()
			close(done)
		}()
		_, _ = operation.Stat(ctx)
		<-done
		if _, err := operation.Stat(guarded(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASecondRequestOfAnOperationMeanwhileIsBusy(t *testing.T) {
	service := startEmulator(t)
	service.fault(t, `{"operation":"stat","action":{"hang":"before"}}`)
	client := newClient(t, service.config())
	operation, err := client.Operation("videos", "/busy", cosslice.OperationConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(guarded(t))
	over := make(chan error, 1)
	go func() {
		_, err := operation.Stat(ctx)
		over <- err
	}()
	service.await(t, "stat", 1)
	if _, err := operation.Stat(ctx); !errors.Is(err, cosslice.ErrBusy) {
		t.Error(err)
	}
	// The request goes on to its end when the operation is closed.
	operation.Close()
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestACancelledReadIsWaitedFor(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	reader, writer := io.Pipe()
	ctx, cancel := context.WithCancel(guarded(t))
	context.AfterFunc(ctx, func() { writer.CloseWithError(ctx.Err()) })
	over := make(chan error, 1)
	go func() {
		_, err := client.UploadReader(ctx, "videos", "/pipe", reader, mebibyte)
		over <- err
	}()
	if _, err := writer.Write(content(1000, 14)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
