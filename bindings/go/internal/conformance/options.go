package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"cosslice"
)

// How an option of a job is set; the names are those of the C setters.
var clientOptions = map[string]func(*cosslice.Config, json.RawMessage) error{
	"endpoint":             into(func(c *cosslice.Config) any { return &c.Endpoint }),
	"region":               into(func(c *cosslice.Config) any { return &c.Region }),
	"api":                  into(func(c *cosslice.Config) any { return &c.API }),
	"connections":          into(func(c *cosslice.Config) any { return &c.Connections }),
	"adaptive_connections": into(func(c *cosslice.Config) any { return &c.AdaptiveConnections }),
	"rate_limit":           into(func(c *cosslice.Config) any { return &c.RateLimit }),
	"resolve_timeout_ms":   duration(time.Millisecond, func(c *cosslice.Config) *time.Duration { return &c.ResolveTimeout }),
	"connect_timeout_ms":   duration(time.Millisecond, func(c *cosslice.Config) *time.Duration { return &c.ConnectTimeout }),
	"tls_timeout_ms":       duration(time.Millisecond, func(c *cosslice.Config) *time.Duration { return &c.TLSTimeout }),
	"stall_timeout_ms":     duration(time.Millisecond, func(c *cosslice.Config) *time.Duration { return &c.StallTimeout }),
	"answer_timeout_ms":    duration(time.Millisecond, func(c *cosslice.Config) *time.Duration { return &c.AnswerTimeout }),
	"finish_timeout_ms":    duration(time.Millisecond, func(c *cosslice.Config) *time.Duration { return &c.FinishTimeout }),
	"ca_file":              into(func(c *cosslice.Config) any { return &c.CAFile }),
	"ca_pem":               setCAPEM,
	"proxy":                into(func(c *cosslice.Config) any { return &c.Proxy }),
	"use_env_proxy":        into(func(c *cosslice.Config) any { return &c.UseEnvProxy }),
	"checkpoint_dir":       into(func(c *cosslice.Config) any { return &c.CheckpointDir }),
	"secret_key":           setSecretKey,
	"authorization":        setAuthorization,
	"signer":               setSigner,
	"signature_scope":      into(func(c *cosslice.Config) any { return &c.SignatureScope }),
	"signature_lifetime_s": duration(time.Second, func(c *cosslice.Config) *time.Duration { return &c.SignatureLifetime }),
	"slice_sizes":          into(func(c *cosslice.Config) any { return &c.SliceSizes }),
	"form_fields":          into(func(c *cosslice.Config) any { return &c.FormFields }),
	"headers":              into(func(c *cosslice.Config) any { return &c.Headers }),
	"token_place":          setTokenPlace,
	"slice_md5":            into(func(c *cosslice.Config) any { return &c.SliceMD5 }),
}

var uploadOptions = map[string]func(json.RawMessage) (cosslice.Option, error){
	"slice_size":           option(cosslice.SliceSize),
	"hash":                 option(cosslice.Hash),
	"verify":               option(cosslice.Verify),
	"overwrite":            ifOn(cosslice.Overwrite),
	"create_parents":       ifOn(cosslice.CreateParents),
	"discard_unfinished":   ifOn(cosslice.DiscardUnfinished),
	"biz_attr":             option(cosslice.BizAttr),
	"single_request_limit": option(cosslice.SingleRequestLimit),
	"rate_limit":           option(cosslice.RateLimit),
	"deadline_ms": option(func(ms int64) cosslice.Option {
		return cosslice.Deadline(time.Duration(ms) * time.Millisecond)
	}),
	"range": option(func(r struct{ Offset, Length int64 }) cosslice.Option {
		return cosslice.Range(r.Offset, r.Length)
	}),
	"spool": option(func(s struct {
		Directory  string
		LimitBytes int64 `json:"limit_bytes"`
	}) cosslice.Option {
		return cosslice.Spool(s.Directory, s.LimitBytes)
	}),
}

func into(field func(*cosslice.Config) any) func(*cosslice.Config, json.RawMessage) error {
	return func(c *cosslice.Config, value json.RawMessage) error { return json.Unmarshal(value, field(c)) }
}

func duration(unit time.Duration, field func(*cosslice.Config) *time.Duration) func(*cosslice.Config, json.RawMessage) error {
	return func(c *cosslice.Config, value json.RawMessage) error {
		var count int64
		err := json.Unmarshal(value, &count)
		*field(c) = time.Duration(count) * unit
		return err
	}
}

func option[T any](make func(T) cosslice.Option) func(json.RawMessage) (cosslice.Option, error) {
	return func(value json.RawMessage) (cosslice.Option, error) {
		var argument T
		err := json.Unmarshal(value, &argument)
		return make(argument), err
	}
}

// ifOn is for what is off in Go unless it is asked for.
func ifOn(make func() cosslice.Option) func(json.RawMessage) (cosslice.Option, error) {
	return func(value json.RawMessage) (setting cosslice.Option, err error) {
		var on bool
		if err = json.Unmarshal(value, &on); on {
			setting = make()
		}
		return setting, err
	}
}

func setCAPEM(c *cosslice.Config, value json.RawMessage) error {
	var text string
	err := json.Unmarshal(value, &text)
	c.CAPEM = []byte(text)
	return err
}

func setSecretKey(c *cosslice.Config, value json.RawMessage) error {
	var key struct {
		AppID     string `json:"app_id"`
		SecretID  string `json:"secret_id"`
		SecretKey string `json:"secret_key"`
	}
	err := json.Unmarshal(value, &key)
	c.Signer = cosslice.SecretKey{AppID: key.AppID, ID: key.SecretID, Key: key.SecretKey}
	return err
}

func setAuthorization(c *cosslice.Config, value json.RawMessage) error {
	var told struct {
		AppID         string `json:"app_id"`
		Authorization string `json:"authorization"`
	}
	err := json.Unmarshal(value, &told)
	c.Signer = cosslice.Authorization{AppID: told.AppID, Text: told.Authorization}
	return err
}

func setSigner(c *cosslice.Config, value json.RawMessage) error {
	var told struct {
		AppID     string  `json:"app_id"`
		SecretID  string  `json:"secret_id"`
		SecretKey string  `json:"secret_key"`
		Fail      *string `json:"fail"`
		Answer    *string `json:"answer"`
	}
	err := json.Unmarshal(value, &told)
	key := cosslice.SecretKey{AppID: told.AppID, ID: told.SecretID, Key: told.SecretKey}
	c.Signer = cosslice.SignerFunc(told.AppID, func(_ context.Context, request cosslice.SignRequest) (string, error) {
		switch {
		case told.Fail != nil:
			return "", errors.New(*told.Fail)
		case told.Answer != nil:
			return *told.Answer, nil
		}
		return cosslice.Sign(key, cosslice.SignatureScopePath, request)
	})
	return err
}

func setTokenPlace(c *cosslice.Config, value json.RawMessage) error {
	var told struct {
		Place cosslice.TokenPlace
		Word  string
	}
	err := json.Unmarshal(value, &told)
	c.TokenPlace, c.TokenWord = told.Place, told.Word
	return err
}

// The kinds of sources, each with the file's name, or its bytes in hexadecimal digits.
var sources = []string{"file", "file_bytes", "memory", "descriptor", "read_at", "stream"}

// upload uploads by the function for the kind of source. A file of the job that can't be had is a defect of the job.
func upload(
	ctx context.Context, client *cosslice.Client, bucket, path string, source options, settings []cosslice.Option,
) (*cosslice.Object, error) {
	kind, name, size, failAt := "", "", int64(0), int64(-1)
	for member, value := range source {
		target := any(&name)
		switch member {
		case "size":
			target = &size
		case "fail_at":
			target = &failAt
		default:
			kind = member
		}
		if err := json.Unmarshal(value, target); err != nil {
			panic(fmt.Sprintf("%s: %v", member, err))
		}
	}
	switch kind {
	case "file":
		return client.UploadFile(ctx, bucket, path, name, settings...)
	case "file_bytes":
		return client.UploadFile(ctx, bucket, path, string(must(hex.DecodeString(name))), settings...)
	case "memory":
		return client.UploadBytes(ctx, bucket, path, must(os.ReadFile(name)), settings...)
	}
	file := must(os.Open(name))
	defer file.Close()
	switch kind {
	case "descriptor":
		return client.UploadOpenFile(ctx, bucket, path, file, settings...)
	case "read_at":
		return client.Upload(ctx, bucket, path, failing{file, failAt}, size, settings...)
	case "stream":
		reader := io.NewSectionReader(failing{file, failAt}, 0, 1<<62)
		return client.UploadReader(ctx, bucket, path, reader, size, settings...)
	}
	panic("no such source: " + kind)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// failing is a reader of which one byte, and what follows, can't be read; -1: none.
type failing struct {
	io.ReaderAt
	failAt int64
}

// What can't be read fails with a number, 5, which the outcome tells.
const readError = syscall.EIO

func (f failing) ReadAt(p []byte, offset int64) (int, error) {
	if f.failAt < 0 || offset+int64(len(p)) <= f.failAt {
		return f.ReaderAt.ReadAt(p, offset)
	}
	if offset >= f.failAt {
		return 0, readError
	}
	n, err := f.ReaderAt.ReadAt(p[:f.failAt-offset], offset)
	if err == nil {
		err = readError
	}
	return n, err
}

// When an upload is to be ended; absent: never.
type control struct {
	CancelBefore bool   `json:"cancel_before"`
	CancelAt     *int64 `json:"cancel_at"`
	StopAt       *int64 `json:"stop_at"`
}

// What stops an upload has a number, which the outcome tells.
const stopped = syscall.Errno(7)

func (c control) watch(last *cosslice.Progress, cancel context.CancelFunc) cosslice.Option {
	return cosslice.CheckProgress(func(p cosslice.Progress) error {
		*last = p
		if c.CancelAt != nil && p.Acknowledged >= *c.CancelAt {
			cancel()
		}
		if c.StopAt != nil && p.Acknowledged >= *c.StopAt {
			return stopped
		}
		return nil
	})
}
