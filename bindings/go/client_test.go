package cosslice_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cosslice"
)

func TestNewNamesTheSettingThatIsNotAcceptable(t *testing.T) {
	for word, config := range map[string]cosslice.Config{
		"endpoint":                  {Endpoint: "ftp://somewhere"},
		"region":                    {Region: "ap-guangzhou"},
		"api":                       {API: 99},
		"connections":               {Connections: math.MaxInt},
		"adaptive_connections: 257": {AdaptiveConnections: 257},
		"both":                      {Connections: 8, AdaptiveConnections: 8},
		"rate_limit: 1023":          {RateLimit: 1023},
		"rate_limit: -1":            {RateLimit: -1},
		"resolve_timeout":           {ResolveTimeout: -1},
		"connect_timeout":           {ConnectTimeout: 48 * time.Hour},
		"tls_timeout":               {TLSTimeout: -time.Hour},
		"stall_timeout":             {StallTimeout: math.MinInt64},
		"answer_timeout":            {AnswerTimeout: math.MaxInt64},
		"finish_timeout":            {FinishTimeout: -1},
		"ca_file":                   {CAFile: filepath.Join(t.TempDir(), "nothing")},
		"ca_pem":                    {CAPEM: []byte{}},
		"proxy":                     {Proxy: "socks5://somewhere"},
		"checkpoint_dir":            {CheckpointDir: "a\x00b"},
		"app_id":                    {Signer: cosslice.SecretKey{AppID: "not a number", ID: secretID, Key: secretKey}},
		"authorization":             {Signer: cosslice.Authorization{AppID: appID}},
		"signature_scope":           {SignatureScope: 99},
		"signature_lifetime":        {SignatureLifetime: 91 * 24 * time.Hour},
		"slice_sizes":               {SliceSizes: []int64{1}},
		"form_field":                {FormFields: []cosslice.Field{{Name: "op", Value: "upload"}}},
		"header":                    {Headers: []cosslice.Field{{Name: "Host", Value: "other"}}},
		"token_place":               {TokenPlace: 99},
		"the name":                  {TokenPlace: cosslice.TokenHeaderAfterWord, TokenWord: "two words"},
		"-1":                        {Connections: -1},
	} {
		client, err := cosslice.New(config)
		var failure *cosslice.Error
		if client != nil || !errors.As(err, &failure) {
			t.Errorf("%s: %v", word, err)
		} else if !strings.Contains(failure.Message, word) {
			t.Errorf("%v: where is %q?", err, word)
		}
	}
}

func TestAClientThatWasClosedSaysSo(t *testing.T) {
	client, err := cosslice.New(startEmulator(t).config())
	if err != nil {
		t.Fatal(err)
	}
	operation, err := client.Operation("videos", "/a", cosslice.OperationConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := bytesTo(t, client, "videos", "/a"); !errors.Is(err, cosslice.ErrClosed) {
		t.Error(err)
	}
	if _, err := client.Operation("videos", "/a", cosslice.OperationConfig{}); !errors.Is(err, cosslice.ErrClosed) {
		t.Error(err)
	}
	// What was made before goes on.
	if answer, err := operation.Stat(guarded(t)); err != nil || answer.Kind != cosslice.AnswerAbsent {
		t.Error(answer, err)
	}
	for range 2 {
		if err := operation.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := operation.Stat(guarded(t)); !errors.Is(err, cosslice.ErrClosed) {
		t.Error(err)
	}
}

func TestAnUploadGoesOnWhenItsClientIsClosedOrGarbage(t *testing.T) {
	service := startEmulator(t)
	for name, abandon := range map[string]func(*cosslice.Client){
		"closed":  func(client *cosslice.Client) { client.Close() },
		"garbage": func(*cosslice.Client) {},
	} {
		client, err := cosslice.New(service.config())
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.UploadBytes(guarded(t), "videos", "/"+name, content(3*mebibyte, 10),
			cosslice.OnProgress(func(cosslice.Progress) {
				if client != nil {
					abandon(client)
				}
				client = nil
				runtime.GC()
			}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecretsAreInNothingThatIsPrinted(t *testing.T) {
	config := cosslice.Config{
		Signer:  cosslice.SecretKey{AppID: appID, ID: secretID, Key: "hush-hush"},
		Headers: []cosslice.Field{{Name: "X-Token", Value: "hush-hush"}},
		Proxy:   "http://user:hush-hush@proxy.invalid:3128",
	}
	authorization := cosslice.Authorization{AppID: appID, Text: "hush-hush"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "signer", config.Signer, "header", config.Headers[0], "a", authorization)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "config", config.Signer, "header", config.Headers, "a", authorization)
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "config", config, "proxy", config.Proxy)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "config", config, "proxy", config.Proxy)
	asJSON, err := json.Marshal([]any{config, &config, config.Signer, config.Headers, authorization})
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(asJSON) +
		fmt.Sprintf("%v %+v %#v %s %q", config, config, config, config.Signer, authorization) +
		fmt.Sprintf("%+v %s %q %x", &config, config.Proxy, config.Proxy, config.Proxy) + fmt.Sprint(config.Proxy)
	if strings.Contains(printed, "hush") {
		t.Error(printed)
	}
	for proxy, want := range map[cosslice.ProxyURL]string{
		"":                            "",
		"http://proxy.invalid:3128":   "http://proxy.invalid:3128",
		config.Proxy:                  "hidden@proxy.invalid:3128",
		"user:p@ss@proxy.invalid":     "hidden@proxy.invalid",
		"user:a://b@proxy.invalid:80": "hidden@proxy.invalid:80",
	} {
		if text, err := proxy.MarshalText(); fmt.Sprint(proxy) != want || string(text) != want || err != nil {
			t.Errorf("%s %s %v, not %s", proxy, text, err, want)
		}
	}
}

func TestALibraryThatDoesNotFitIsNamedWithBothVersions(t *testing.T) {
	if err := cosslice.CheckLibrary(0, 0x7fffff, "9.9.9"); err != nil {
		t.Errorf("a newer library: %v", err)
	}
	for name, err := range map[string]error{
		"another ABI": cosslice.CheckLibrary(9, 0x000100, "9.9.9"),
		"older":       cosslice.CheckLibrary(0, 0x000001, "9.9.9"),
	} {
		if !errors.Is(err, cosslice.ErrInvalidArgument) || !strings.Contains(err.Error(), "9.9.9") ||
			!strings.Contains(err.Error(), cosslice.Version()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFeaturesAreTold(t *testing.T) {
	features := strings.Join(cosslice.Features(), " ")
	if !strings.Contains(features, "files-v2") || !strings.Contains(features, "https") {
		t.Error(features)
	}
}
