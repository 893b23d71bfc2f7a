package cosslice_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"cosslice"
)

func TestAFileGoesByRequestsOneAtATime(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	ctx := guarded(t)
	data := content(3*mebibyte+100, 19)
	config := cosslice.OperationConfig{File: writeFile(t, "gro\xdf", data), SliceSize: mebibyte, BizAttr: "by hand", Attempts: 3}
	first, err := client.Operation("videos", "/by/hand", config)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()

	hash, err := first.Hash(ctx)
	if err != nil || hash.Kind != cosslice.AnswerHashed || len(hash.SHA1) != 40 || hash.Size != int64(len(data)) {
		t.Fatal(hash, err)
	}
	begun, err := first.Init(ctx, "")
	if err != nil || begun.Kind != cosslice.AnswerSession || begun.Session == "" || begun.SliceSize != mebibyte {
		t.Fatal(begun, err)
	}
	// Another process would know the session, the digest and the file.
	config.SHA1 = hash.SHA1
	second, err := client.Operation("videos", "by/hand", config)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	for _, offset := range []int64{2 * mebibyte, 0} {
		stored, err := second.Slice(ctx, begun.Session, offset, mebibyte)
		if err != nil || stored.Kind != cosslice.AnswerStored {
			t.Fatal(stored, err)
		}
	}
	listed, err := first.List(ctx)
	want := []cosslice.Part{{Offset: 0, Length: mebibyte}, {Offset: 2 * mebibyte, Length: mebibyte}}
	if err != nil || listed.Kind != cosslice.AnswerUnfinished || !slices.Equal(listed.Parts, want) ||
		listed.Received != 2*mebibyte || listed.SHA1 != hash.SHA1 || listed.Serial {
		t.Fatal(listed, err)
	}
	for offset, length := range map[int64]int64{mebibyte: mebibyte, 3 * mebibyte: 100} {
		if _, err := first.Slice(ctx, listed.Session, offset, length); err != nil {
			t.Fatal(err)
		}
	}
	complete, err := second.Finish(ctx, listed.Session)
	if err != nil || complete.Kind != cosslice.AnswerComplete || complete.AccessURL == "" || complete.Offset != -1 {
		t.Fatal(complete, err)
	}
	if !bytes.Equal(service.object(t, "videos", "by/hand"), data) {
		t.Error("the object is not the file")
	}
	status, err := first.Stat(ctx)
	if err != nil || status.Kind != cosslice.AnswerStatus || status.Size != int64(len(data)) || status.Received != status.Size {
		t.Error(status, err)
	}
	if deleted, err := first.Delete(ctx); err != nil || deleted.Kind != cosslice.AnswerDeleted {
		t.Error(deleted, err)
	}
	if absent, err := first.Stat(ctx); err != nil || absent.Kind != cosslice.AnswerAbsent {
		t.Error(absent, err)
	}
}

func TestSmallContentGoesInOneRequest(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	for path, data := range map[string][]byte{"/small": []byte("abc"), "/empty": {}} {
		operation, err := client.Operation("videos", path, cosslice.OperationConfig{Bytes: data, Overwrite: true})
		if err != nil {
			t.Fatal(err)
		}
		defer operation.Close()
		answer, err := operation.Upload(guarded(t))
		if err != nil || answer.Kind != cosslice.AnswerComplete || !bytes.Equal(service.object(t, "videos", path), data) {
			t.Error(answer, err)
		}
	}
}

func TestADirectoryIsMade(t *testing.T) {
	client := newClient(t, startEmulator(t).config())
	operation, err := client.Operation("videos", "/2026", cosslice.OperationConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer operation.Close()
	for range 2 {
		if answer, err := operation.CreateDirectory(guarded(t)); err != nil || answer.Kind != cosslice.AnswerCreated {
			t.Error(answer, err)
		}
	}
}

func TestWhatARequestLacksIsNamed(t *testing.T) {
	service := startEmulator(t)
	client := newClient(t, service.config())
	ctx := guarded(t)
	for name, config := range map[string]cosslice.OperationConfig{
		"size":       {Size: -2},
		"sha1":       {SHA1: "abc"},
		"slice_size": {SliceSize: 3},
		"biz_attr":   {BizAttr: "a\nb"},
		"attempts":   {Attempts: -1},
	} {
		operation, err := client.Operation("videos", "/lacks", config)
		if err != nil {
			t.Fatal(err)
		}
		defer operation.Close()
		if _, err := operation.Stat(ctx); !errors.Is(err, cosslice.ErrInvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	operation, err := client.Operation("videos", "/lacks", cosslice.OperationConfig{Bytes: []byte("abc")})
	if err != nil {
		t.Fatal(err)
	}
	defer operation.Close()
	if _, err := operation.Slice(ctx, "", 0, 3); !errors.Is(err, cosslice.ErrInvalidArgument) {
		t.Error(err)
	}
	if requests := service.requests(t); len(requests) != 0 {
		t.Errorf("%+v", requests)
	}
}
