package cosslice

// #include "callbacks.h"
import "C"

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unsafe"
)

// A Config is what a [Client] is made of. The zero value of each field is the library's default (DEFAULTS in cos_slice.h); only
// where the service is (Region or Endpoint) and the Signer have none. What is not acceptable is reported by [New], and what is
// missing by the first upload.
//
// Durations are rounded up to whole milliseconds, and may be at most a day.
type Config struct {
	// Region is the service's own endpoint in a region, by https: "tj", "bj", "sh", "gz", "cd", "hk", "sgp", "ca" or "ger". Not
	// with APIFilesV1, which has one address for all regions.
	Region string
	// Endpoint is where the service is otherwise: "https://host", "http://host:port", either with a path that goes before each
	// request's. It wins over Region.
	Endpoint string
	// Signer is who signs the requests: a [SecretKey], an [Authorization] or a [SignerFunc].
	Signer Signer
	// API is what the service is spoken to in: APIFilesV2 unless set.
	API API

	// Connections is a fixed number of requests in flight at once, for all uploads of the client together, and of worker threads of
	// the library at most: 1 to 256. Not together with AdaptiveConnections.
	Connections int
	// AdaptiveConnections lets the number of requests in flight adapt to the link and the server: it begins small, grows while
	// that makes uploads faster, and shrinks where the server says that it is overloaded. This is what it never passes, and the
	// number of worker threads at most: 1 to 256.
	AdaptiveConnections int
	// RateLimit is how many bytes a second all uploads of the client may send together, 1024 to 2^53; no limit unless set.
	// [Client.SetRateLimit] changes it.
	RateLimit int64
	// ResolveTimeout is the longest that looking up the host's name may take.
	ResolveTimeout time.Duration
	// ConnectTimeout is the longest that opening a connection may take, all of the host's addresses together.
	ConnectTimeout time.Duration
	// TLSTimeout is the longest that the TLS handshake may take.
	TLSTimeout time.Duration
	// StallTimeout is the longest that a request may be sent without a byte being taken by the network. How long a slice takes
	// while bytes move has no limit.
	StallTimeout time.Duration
	// AnswerTimeout is the longest that the server may take to answer after a request's last byte.
	AnswerTimeout time.Duration
	// FinishTimeout is the same for the requests that make the object, which takes the server longer.
	FinishTimeout time.Duration

	// CAFile is a PEM file whose certificates are trusted in place of the system's. It is read by New.
	CAFile string
	// CAPEM is the same in memory; it wins over CAFile. Not set where it is nil; what is empty otherwise is refused.
	CAPEM []byte
	// Proxy is the HTTP proxy to go through, by its tunnels (CONNECT), also to an http endpoint. It wins over UseEnvProxy.
	Proxy ProxyURL
	// UseEnvProxy goes through the proxy that the environment of the process names.
	UseEnvProxy bool

	// CheckpointDir is a folder that keeps a checkpoint of each unfinished upload, so that another process goes on with it without
	// hashing the file once more. It is made when it is needed, for its owner alone. No checkpoints where it is empty.
	CheckpointDir string

	// SignatureScope is what the signatures of a SecretKey are good for: SignatureScopePath, the narrowest, unless set.
	SignatureScope SignatureScope
	// SignatureLifetime is how long signatures are good for, those of a SecretKey and those that a SignerFunc is asked for: at most
	// 90 days, rounded up to whole seconds.
	SignatureLifetime time.Duration

	// SliceSizes are those that a private store takes, in bytes, in place of the service's. Uploads ask for the first unless
	// [SliceSize] names another.
	SliceSizes []int64
	// FormFields are added to each form that is sent to a private store. Values count as secret.
	FormFields []Field
	// Headers are added to each request to a private store. Values count as secret.
	Headers []Field
	// TokenPlace is where the token that authorizes a request goes: TokenHeader unless set.
	TokenPlace TokenPlace
	// TokenWord is the word before the token, with TokenHeaderAfterWord alone.
	TokenWord string
	// SliceMD5 sends each slice with its MD5, and compares it with what the store tells.
	SliceMD5 bool

	// Logger gets what the client does, at the levels it is enabled for at the time: each request at debug level, repeated ones as
	// warnings. It is called on threads of the library, several at once, and holds them up while it works. Attributes are bucket,
	// path, operation, offset, attempt, server_code, http_status and request_id, each where there is one. Nothing logged has a
	// secret in it. A handler that panics is not called again, and Close returns the panic.
	Logger *slog.Logger
}

// A Field is a name and a value, of a form or of a header. The value counts as secret, and is left out wherever a Field is
// printed.
type Field struct {
	Name, Value string
}

// Format prints the name alone.
func (f Field) Format(state fmt.State, _ rune) { fmt.Fprintf(state, "{%s: hidden}", f.Name) }

// MarshalText gives the name alone.
func (f Field) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", f), nil }

// A ProxyURL is the address of an HTTP proxy: "http://host:port", or "http://user:password@host:port", with what is not a letter,
// digit or one of -._~ percent-encoded in user and password. The port is 80 where none is named. User and password are left out
// wherever a ProxyURL is printed.
type ProxyURL string

// Format leaves user and password out.
func (p ProxyURL) Format(state fmt.State, _ rune) {
	text := string(p)
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		text = "hidden" + text[at:]
	}
	fmt.Fprint(state, text)
}

// MarshalText leaves user and password out.
func (p ProxyURL) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", p), nil }

// An API is what the service can be spoken to in. More may come.
type API int32

// What an API may be.
const (
	// The JSON API files/v2.
	APIFilesV2 API = C.COS_SLICE_API_FILES_V2
	// The older JSON API files/v1: slices go one after another, and uploads need the SHA-1.
	APIFilesV1 API = C.COS_SLICE_API_FILES_V1
)

// A TokenPlace is where the token that authorizes a request goes.
type TokenPlace int32

// What a TokenPlace may be.
const (
	// The value of the Authorization header.
	TokenHeader TokenPlace = C.COS_SLICE_TOKEN_HEADER
	// The value of the Authorization header, after a word and a space.
	TokenHeaderAfterWord TokenPlace = C.COS_SLICE_TOKEN_HEADER_AFTER_WORD
	// The query parameter "sign"; there is no Authorization header then.
	TokenQuery TokenPlace = C.COS_SLICE_TOKEN_QUERY
)

// settings sets what is not zero on a client, and remembers whether it took all of it.
type settings struct {
	client *C.cos_slice_client
	texts
	refused bool
}

func (s *settings) set(status C.int32_t) {
	s.refused = s.refused || status != C.COS_SLICE_OK
}

// apply sets what is not zero, and tells whether the client took all of it.
func (config *Config) apply(client *C.cos_slice_client, shared *shared) bool {
	s := &settings{client: client}
	defer s.free()
	config.applyService(s)
	config.applyTimeouts(s)
	config.applyDialect(s)
	if config.Signer != nil {
		s.set(config.Signer.apply(s, shared))
	}
	if config.Logger != nil {
		s.set(C.cosslice_set_log(client, C.COS_SLICE_LOG_DEBUG, hold(&logSink{logger: config.Logger, shared: shared})))
	}
	return !s.refused
}

func (config *Config) applyService(s *settings) {
	if config.Region != "" {
		s.set(C.cos_slice_client_set_region(s.client, s.text(config.Region)))
	}
	if config.Endpoint != "" {
		s.set(C.cos_slice_client_set_endpoint(s.client, s.text(config.Endpoint)))
	}
	if config.API != 0 {
		s.set(C.cos_slice_client_set_api(s.client, C.int32_t(config.API)))
	}
	if config.Connections != 0 {
		s.set(C.cos_slice_client_set_connections(s.client, narrow(config.Connections)))
	}
	if config.AdaptiveConnections != 0 {
		s.set(C.cos_slice_client_set_adaptive_connections(s.client, narrow(config.AdaptiveConnections)))
	}
	if config.RateLimit != 0 {
		s.set(C.cos_slice_client_set_rate_limit(s.client, C.int64_t(config.RateLimit)))
	}
	if config.CAFile != "" {
		s.set(C.cos_slice_client_set_ca_file(s.client, s.text(config.CAFile)))
	}
	if len(config.CAPEM) != 0 {
		s.set(C.cos_slice_client_set_ca_pem(s.client, unsafe.Pointer(&config.CAPEM[0]), C.size_t(len(config.CAPEM))))
	} else if config.CAPEM != nil {
		// Trust was to be narrowed, so it must not stay as wide as the system's.
		s.set(C.cos_slice_client_set_ca_pem(s.client, nil, 0))
	}
	if config.UseEnvProxy {
		s.set(C.cos_slice_client_set_use_env_proxy(s.client, 1))
	}
	if config.Proxy != "" {
		s.set(C.cos_slice_client_set_proxy(s.client, s.text(string(config.Proxy))))
	}
	if config.CheckpointDir != "" {
		s.set(C.cos_slice_client_set_checkpoint_dir(s.client, s.text(config.CheckpointDir)))
	}
	if config.SignatureScope != 0 {
		s.set(C.cos_slice_client_set_signature_scope(s.client, C.int32_t(config.SignatureScope)))
	}
	if config.SignatureLifetime != 0 {
		s.set(C.cos_slice_client_set_signature_lifetime_s(s.client, in(time.Second, config.SignatureLifetime)))
	}
}

func (config *Config) applyTimeouts(s *settings) {
	if config.ResolveTimeout != 0 {
		s.set(C.cos_slice_client_set_resolve_timeout_ms(s.client, in(time.Millisecond, config.ResolveTimeout)))
	}
	if config.ConnectTimeout != 0 {
		s.set(C.cos_slice_client_set_connect_timeout_ms(s.client, in(time.Millisecond, config.ConnectTimeout)))
	}
	if config.TLSTimeout != 0 {
		s.set(C.cos_slice_client_set_tls_timeout_ms(s.client, in(time.Millisecond, config.TLSTimeout)))
	}
	if config.StallTimeout != 0 {
		s.set(C.cos_slice_client_set_stall_timeout_ms(s.client, in(time.Millisecond, config.StallTimeout)))
	}
	if config.AnswerTimeout != 0 {
		s.set(C.cos_slice_client_set_answer_timeout_ms(s.client, in(time.Millisecond, config.AnswerTimeout)))
	}
	if config.FinishTimeout != 0 {
		s.set(C.cos_slice_client_set_finish_timeout_ms(s.client, in(time.Millisecond, config.FinishTimeout)))
	}
}

func (config *Config) applyDialect(s *settings) {
	if len(config.SliceSizes) != 0 {
		sizes := make([]C.int64_t, len(config.SliceSizes))
		for i, size := range config.SliceSizes {
			sizes[i] = C.int64_t(size)
		}
		s.set(C.cos_slice_client_set_slice_sizes(s.client, &sizes[0], C.size_t(len(sizes))))
	}
	for _, field := range config.FormFields {
		s.set(C.cos_slice_client_add_form_field(s.client, s.text(field.Name), s.text(field.Value)))
	}
	for _, header := range config.Headers {
		s.set(C.cos_slice_client_add_header(s.client, s.text(header.Name), s.text(header.Value)))
	}
	if config.TokenPlace != 0 || config.TokenWord != "" {
		s.set(C.cos_slice_client_set_token_place(s.client, C.int32_t(config.TokenPlace), s.optional(config.TokenWord)))
	}
	if config.SliceMD5 {
		s.set(C.cos_slice_client_set_slice_md5(s.client, 1))
	}
}
