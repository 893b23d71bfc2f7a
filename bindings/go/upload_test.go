package cosslice_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"cosslice"
)

const mebibyte = 1 << 20

func TestEverySourceArrivesAsItIs(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	data := content(3*mebibyte+12345, 1)
	file := writeFile(t, "big.mp4", data)
	notUTF8 := writeFile(t, "gro\xdf.mp4", data)
	open, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	// Memory that lies beside a pointer.
	inside := struct {
		array [100]byte
		next  *int
	}{next: new(int)}
	copy(inside.array[:], data)

	type upload func(path string) (*cosslice.Object, error)
	ctx := guarded(t)
	for name, test := range map[string]struct {
		upload upload
		want   []byte
	}{
		"file": {func(p string) (*cosslice.Object, error) { return client.UploadFile(ctx, "videos", p, file) }, data},
		"file whose name is not UTF-8": {func(p string) (*cosslice.Object, error) {
			return client.UploadFile(ctx, "videos", p, notUTF8)
		}, data},
		"open file": {func(p string) (*cosslice.Object, error) { return client.UploadOpenFile(ctx, "videos", p, open) }, data},
		"part of an open file": {func(p string) (*cosslice.Object, error) {
			return client.UploadOpenFile(ctx, "videos", p, open, cosslice.Range(7, 100))
		}, data[7:107]},
		"memory":       {func(p string) (*cosslice.Object, error) { return client.UploadBytes(ctx, "videos", p, data) }, data},
		"empty memory": {func(p string) (*cosslice.Object, error) { return client.UploadBytes(ctx, "videos", p, nil) }, nil},
		"memory beside a pointer": {func(p string) (*cosslice.Object, error) {
			return client.UploadBytes(ctx, "videos", p, inside.array[:])
		}, data[:100]},
		"reader at any offset": {func(p string) (*cosslice.Object, error) {
			return client.Upload(ctx, "videos", p, bytes.NewReader(data), int64(len(data)))
		}, data},
		"reader of known size": {func(p string) (*cosslice.Object, error) {
			return client.UploadReader(ctx, "videos", p, iotest.DataErrReader(bytes.NewReader(data)), int64(len(data)))
		}, data},
		"reader that is spooled": {func(p string) (*cosslice.Object, error) {
			return client.UploadReader(ctx, "videos", p, iotest.HalfReader(bytes.NewReader(data)), -1, cosslice.Spool("", 1<<30))
		}, data},
	} {
		t.Run(name, func(t *testing.T) {
			path := "/" + strings.ReplaceAll(name, " ", "-")
			object, err := test.upload(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(service.object(t, "videos", path), test.want) {
				t.Error("the object is not the source")
			}
			sum := sha1.Sum(test.want)
			if object.Size != int64(len(test.want)) || object.SHA1 != hex.EncodeToString(sum[:]) || !object.Verified {
				t.Errorf("%+v", object)
			}
			if object.Outcome != cosslice.Uploaded || object.BytesResumed != 0 || object.Retries != 0 || object.Warning != "" {
				t.Errorf("%+v", object)
			}
			if !strings.HasPrefix(object.AccessURL, service.endpoint) || object.ResourcePath != "/"+appID+"/videos"+path {
				t.Errorf("%+v", object)
			}
		})
	}
}

func TestTheSameContentIsInstantTheSecondTime(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	for _, want := range []cosslice.Outcome{cosslice.Uploaded, cosslice.Instant} {
		object, err := client.UploadBytes(guarded(t), "videos", "/twice", content(mebibyte, 2))
		if err != nil {
			t.Fatal(err)
		}
		if object.Outcome != want {
			t.Errorf("%v, want %v", object.Outcome, want)
		}
	}
}

func TestProgressGoesToTheEnd(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	var told []cosslice.Progress
	data := content(5*mebibyte, 3)
	_, err := client.UploadBytes(guarded(t), "videos", "/big", data,
		cosslice.OnProgress(func(p cosslice.Progress) { told = append(told, p) }))
	if err != nil {
		t.Fatal(err)
	}
	last := told[len(told)-1]
	if last.Phase != cosslice.Done || last.Acknowledged != last.Total || last.Total != int64(len(data)) || last.Hashed != last.Total ||
		last.SlicesDone != 5 || last.SlicesTotal != 5 {
		t.Errorf("%+v", last)
	}
	for i := 1; i < len(told); i++ {
		if told[i].Acknowledged < told[i-1].Acknowledged {
			t.Errorf("%+v after %+v", told[i], told[i-1])
		}
	}
}

var errEnough = errors.New("enough of it")

func TestAProgressFunctionStopsTheUploadWithItsError(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	stop := func(with error) error {
		_, err := client.UploadBytes(guarded(t), "videos", "/stopped", content(4*mebibyte, 4),
			cosslice.CheckProgress(func(p cosslice.Progress) error { return with }))
		return err
	}
	err := stop(errEnough)
	var failure *cosslice.Error
	if !errors.Is(err, errEnough) || !errors.Is(err, cosslice.ErrAbortedByCallback) || !errors.As(err, &failure) {
		t.Fatal(err)
	}
	if failure.CallbackValue != 1 || !failure.Retryable() || !strings.Contains(err.Error(), errEnough.Error()) {
		t.Errorf("%+v", failure)
	}
	if err := stop(syscall.Errno(7)); !errors.As(err, &failure) || failure.CallbackValue != 7 {
		t.Errorf("%+v", failure)
	}
}

// faultyReader fails from an offset on.
type faultyReader struct {
	*bytes.Reader
	failAt int64
	err    error
}

func (r faultyReader) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) <= r.failAt {
		return r.Reader.ReadAt(p, offset)
	}
	if offset >= r.failAt {
		return 0, r.err
	}
	n, err := r.Reader.ReadAt(p[:r.failAt-offset], offset)
	if err == nil {
		err = r.err
	}
	return n, err
}

func TestAReadersErrorIsFoundInTheUploads(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	data := content(3*mebibyte, 5)
	size := int64(len(data))
	at := func(err error) error {
		_, err = client.Upload(guarded(t), "videos", "/at/"+err.Error(), faultyReader{bytes.NewReader(data), 2*mebibyte + 5, err}, size)
		return err
	}
	next := func(err error) error {
		// Of a path of its own, since what a stream left unfinished is not resumed by another one.
		reader := io.MultiReader(bytes.NewReader(data[:2*mebibyte+5]), iotest.ErrReader(err))
		_, err = client.UploadReader(guarded(t), "videos", "/next/"+err.Error(), reader, size)
		return err
	}
	for name, upload := range map[string]func(error) error{"at any offset": at, "in order": next} {
		t.Run(name, func(t *testing.T) {
			for cause, value := range map[error]int{io.ErrClosedPipe: -1, syscall.EIO: -5} {
				var failure *cosslice.Error
				err := upload(cause)
				if !errors.Is(err, cause) || !errors.Is(err, cosslice.ErrFileRead) || !errors.As(err, &failure) {
					t.Fatal(err)
				}
				if failure.CallbackValue != value || !strings.Contains(err.Error(), cause.Error()) {
					t.Errorf("%+v", failure)
				}
			}
		})
	}
}

// brokenReader does what no reader may.
type brokenReader struct{ n int }

func (r brokenReader) Read(p []byte) (int, error)            { return r.count(p), nil }
func (r brokenReader) ReadAt(p []byte, _ int64) (int, error) { return r.count(p), nil }
func (r brokenReader) count(p []byte) int {
	if r.n > 0 {
		return len(p) + r.n
	}
	return r.n
}

func TestABrokenReaderIsAnError(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	for _, n := range []int{-1, 0, 1} {
		_, err := client.UploadReader(guarded(t), "videos", fmt.Sprintf("/broken/%d", n), brokenReader{n}, mebibyte)
		if !errors.Is(err, cosslice.ErrFileRead) {
			t.Errorf("%d: %v", n, err)
		}
		_, err = client.Upload(guarded(t), "videos", "/broken", brokenReader{n}, mebibyte)
		if !errors.Is(err, cosslice.ErrFileRead) {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestAMissingFileIsErrNotExist(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	name := filepath.Join(t.TempDir(), "nothing")
	_, err := client.UploadFile(guarded(t), "videos", "/nothing", name)
	var failure *cosslice.Error
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, cosslice.ErrFileOpen) || !errors.As(err, &failure) {
		t.Fatal(err)
	}
	if failure.OSErrno != syscall.ENOENT || !strings.Contains(err.Error(), name) || failure.Retryable() {
		t.Errorf("%+v", failure)
	}
	if errors.Is(err, cosslice.ErrFileRead) || errors.Is(err, context.Canceled) {
		t.Error("it is everything at once")
	}
}

func TestAFileThatWasClosedIsAnError(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	file, err := os.Open(writeFile(t, "closed", nil))
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	_, err = client.UploadOpenFile(guarded(t), "videos", "/closed", file)
	if !errors.Is(err, os.ErrClosed) || !errors.Is(err, cosslice.ErrFileOpen) {
		t.Error(err)
	}
}

func TestARefusalHasAllThatTheServiceSaid(t *testing.T) {
	service := startEmulator(t)
	service.fault(t, `{"operation":"upload_slice_data","offset":1048576,"times":0,"action":{"status":400,"code":-5999,"message":"not today"}}`)
	client := newClient(t, service.config())
	_, err := client.UploadBytes(guarded(t), "videos", "/refused", content(2*mebibyte, 6))
	var failure *cosslice.Error
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	if failure.ServerCode != -5999 || failure.HTTPStatus != 400 || failure.RequestID == "" ||
		failure.Operation != "upload_slice_data" || failure.SliceOffset != mebibyte || failure.Attempts != 1 ||
		!strings.Contains(failure.Message, "not today") {
		t.Errorf("%+v", failure)
	}
}

func TestAnObjectOfOtherContentIsReplacedOnlyWhereThatIsSaid(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	put := func(data []byte, options ...cosslice.Option) error {
		_, err := client.UploadBytes(guarded(t), "videos", "/there", data, options...)
		return err
	}
	first, second := content(mebibyte, 7), content(mebibyte, 8)
	if err := put(first); err != nil {
		t.Fatal(err)
	}
	if err := put(second); !errors.Is(err, cosslice.ErrObjectExists) {
		t.Error(err)
	}
	if err := put(second, cosslice.Overwrite()); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(service.object(t, "videos", "/there"), second) {
		t.Error("it was not replaced")
	}
}

func TestOptionsReachTheService(t *testing.T) {
	service := startEmulator(t)
	config := service.config()
	config.FormFields = []cosslice.Field{{Name: "tenant", Value: "blue-team"}}
	config.Headers = []cosslice.Field{{Name: "X-Gateway", Value: "green-team"}}
	client := newClient(t, config)
	_, err := client.UploadBytes(guarded(t), "videos", "/options", content(2*mebibyte, 9),
		cosslice.SliceSize(524288), cosslice.BizAttr("title=big"), cosslice.Hash(false), cosslice.Verify(false))
	if err != nil {
		t.Fatal(err)
	}
	slices := 0
	for _, request := range service.requests(t) {
		fields, headers := map[string]string{}, map[string]string{}
		for _, field := range request.Fields {
			fields[field[0]] = field[1]
		}
		for _, header := range request.Headers {
			headers[strings.ToLower(header[0])] = header[1]
		}
		if fields["tenant"] != "blue-team" || headers["x-gateway"] != "green-team" {
			t.Errorf("%+v", request)
		}
		switch request.Operation {
		case "upload_slice_init":
			if fields["slice_size"] != "524288" || fields["biz_attr"] != "title=big" || fields["sha"] != "" {
				t.Errorf("%+v", request)
			}
		case "upload_slice_data":
			slices++
		case "stat":
			t.Error("it was verified")
		}
	}
	if slices != 4 {
		t.Errorf("%d slices", slices)
	}
}

func TestWhatIsNotAcceptableIsNamedBeforeAnythingIsSent(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	for word, upload := range map[string]func() error{
		"bucket": func() error { return bytesTo(t, client, "", "/path") },
		"path":   func() error { return bytesTo(t, client, "videos", "/a/../b") },
		// A NUL ends a text of C. It must not be another object that is meant then.
		"UTF-8":      func() error { return bytesTo(t, client, "videos", "/a\x00b") },
		"slice_size": func() error { return bytesTo(t, client, "videos", "/a", cosslice.SliceSize(-1)) },
		"deadline":   func() error { return bytesTo(t, client, "videos", "/a", cosslice.Deadline(-1)) },
		"range":      func() error { return bytesTo(t, client, "videos", "/a", cosslice.Range(5, 1)) },
		"biz_attr":   func() error { return bytesTo(t, client, "videos", "/a", cosslice.BizAttr("a\x00b")) },
		"size": func() error {
			_, err := client.UploadReader(guarded(t), "videos", "/a", strings.NewReader("abc"), -1)
			return err
		},
		"file": func() error {
			_, err := client.UploadFile(guarded(t), "videos", "/a", "big\x00.mp4")
			return err
		},
	} {
		err := upload()
		if !errors.Is(err, cosslice.ErrInvalidArgument) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", word, err)
		}
	}
	if requests := service.requests(t); len(requests) != 0 {
		t.Errorf("%+v", requests)
	}
}

func bytesTo(t *testing.T, client *cosslice.Client, bucket, path string, options ...cosslice.Option) error {
	t.Helper()
	_, err := client.UploadBytes(guarded(t), bucket, path, []byte("abc"), options...)
	return err
}
