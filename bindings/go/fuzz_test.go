package cosslice_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cosslice"
)

// Whatever the arguments are, nothing is sent and the error is one of the package that says something: the context is done.
func FuzzUploadArguments(f *testing.F) {
	f.Add("videos", "/2026/big.mp4", "text", "attribute", "/tmp", int64(1), int64(-1), []byte("abc"))
	f.Add("", "", "", "", "", int64(0), int64(0), []byte(nil))
	f.Add("a\x00b", "/\xff", "a/../b", "line\nend", "\x00", int64(-1<<63), int64(1<<63-1), []byte("\x00"))
	f.Add("videos", strings.Repeat("/long", 300), strings.Repeat("x", 5000), strings.Repeat("ä", 4096), "/nowhere", int64(524288), int64(1), []byte{})
	client := newClient(f, cosslice.Config{Endpoint: "http://127.0.0.1:1", Signer: key})
	done, cancel := context.WithCancel(context.Background())
	cancel()
	f.Fuzz(func(t *testing.T, bucket, path, name, attribute, directory string, number, other int64, data []byte) {
		options := []cosslice.Option{
			cosslice.SliceSize(number), cosslice.Range(number, other), cosslice.Deadline(time.Duration(other)),
			cosslice.SingleRequestLimit(other), cosslice.BizAttr(attribute), cosslice.Spool(directory, other),
			cosslice.RateLimit(other),
		}
		check := func(object *cosslice.Object, err error) {
			t.Helper()
			var failure *cosslice.Error
			if object != nil || !errors.As(err, &failure) || failure.Message == "" || strings.ContainsAny(failure.Message, "\x00\n") {
				t.Fatalf("%v %q", object, err)
			}
		}
		for _, options := range [][]cosslice.Option{nil, options[number&3:], options} {
			check(client.UploadFile(done, bucket, path, name, options...))
			check(client.UploadBytes(done, bucket, path, data, options...))
			check(client.Upload(done, bucket, path, strings.NewReader(name), number, options...))
			check(client.UploadReader(done, bucket, path, strings.NewReader(name), other, options...))
		}
		operation, err := client.Operation(bucket, path, cosslice.OperationConfig{
			File: name, Bytes: data, Size: number, SHA1: attribute, SliceSize: other, BizAttr: attribute, Attempts: int(number),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer operation.Close()
		for _, request := range []func(context.Context) (*cosslice.Answer, error){
			operation.Stat, operation.Upload, operation.List,
			func(ctx context.Context) (*cosslice.Answer, error) { return operation.Init(ctx, attribute) },
			func(ctx context.Context) (*cosslice.Answer, error) { return operation.Slice(ctx, name, number, other) },
		} {
			answer, err := request(done)
			var failure *cosslice.Error
			if answer != nil || !errors.As(err, &failure) || failure.Message == "" {
				t.Fatalf("%v %q", answer, err)
			}
		}
	})
}

// New takes a setting or names it, and never makes something else of it.
func FuzzConfig(f *testing.F) {
	f.Add("gz", "https://gz.file.myqcloud.com", "1251668577", "AKIDtest", "http://127.0.0.1:3128", "word", int64(8), int64(30_000_000_000), []byte("pem"))
	f.Add("", "", "", "", "", "", int64(0), int64(0), []byte(nil))
	f.Add("\x00", "http://\xff", "12a", "a\x00", "http://user:pass word@host", "two words", int64(-1), int64(1<<63-1), []byte("\x00"))
	f.Fuzz(func(t *testing.T, region, endpoint, app, secret, proxy, word string, number, duration int64, pem []byte) {
		d := time.Duration(duration)
		config := cosslice.Config{
			Region: region, Endpoint: endpoint, Signer: cosslice.SecretKey{AppID: app, ID: secret, Key: secret},
			API: cosslice.API(number), RateLimit: duration, ResolveTimeout: d, ConnectTimeout: d, TLSTimeout: d, StallTimeout: d,
			AnswerTimeout: d, FinishTimeout: d, CAPEM: pem, Proxy: cosslice.ProxyURL(proxy), SignatureScope: cosslice.SignatureScope(number),
			SignatureLifetime: d, SliceSizes: []int64{number, duration}[:number&1], TokenWord: word,
			FormFields: []cosslice.Field{{Name: word, Value: secret}}, Headers: []cosslice.Field{{Name: word, Value: secret}},
		}
		if number&1 == 0 {
			config.Connections = int(number)
		} else {
			config.AdaptiveConnections = int(number)
		}
		client, err := cosslice.New(config)
		var failure *cosslice.Error
		switch {
		case err == nil && client != nil:
			if strings.ContainsRune(region+endpoint+app+secret+proxy+word, 0) || number < 0 || duration < 0 {
				t.Errorf("%+v was taken", config)
			}
			if err := client.Close(); err != nil {
				t.Error(err)
			}
		case client != nil || !errors.As(err, &failure) || failure.Status != cosslice.ErrInvalidArgument:
			t.Errorf("%v %v", client, err)
		}
	})
}

// Sign makes a text that a header can carry, or names what is not acceptable.
func FuzzSign(f *testing.F) {
	f.Add("1251668577", "AKIDtest", "secret", "videos", "2026/big.mp4", int32(0), int32(0), int64(0))
	f.Add("\x00", "\xff", "", "", "/", int32(-1), int32(9), int64(-1))
	f.Fuzz(func(t *testing.T, app, id, secret, bucket, path string, scope, kind int32, lifetime int64) {
		text, err := cosslice.Sign(cosslice.SecretKey{AppID: app, ID: id, Key: secret}, cosslice.SignatureScope(scope),
			cosslice.SignRequest{
				Kind: cosslice.SignatureKind(kind), AppID: app, Bucket: bucket, Path: path, Lifetime: time.Duration(lifetime),
			})
		if err == nil && text != "" && strings.Trim(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/=") == "" {
			return
		}
		if text != "" || !errors.Is(err, cosslice.ErrInvalidArgument) {
			t.Errorf("%q %v", text, err)
		}
	})
}
