package cosslice

// #include "callbacks.h"
import "C"

import (
	"context"
	"fmt"
	"time"
)

// A Signer is who makes the authorization strings that requests carry: a [SecretKey], an [Authorization] or a [SignerFunc].
type Signer interface {
	apply(s *settings, shared *shared) C.int32_t
}

// A SecretKey signs each attempt of each request anew. A program that runs on other people's devices must not have it: there a
// [SignerFunc] asks a server that does, which uses [Sign]. The key is left out wherever a SecretKey is printed.
type SecretKey struct {
	// AppID is the account's, in decimal digits.
	AppID string
	// ID is the secret id, which is no secret.
	ID string
	// Key is the secret key.
	Key string
}

// Format leaves the key out.
func (k SecretKey) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "{app id %s, secret id %s, key hidden}", k.AppID, k.ID)
}

// MarshalText leaves the key out.
func (k SecretKey) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", k), nil }

func (k SecretKey) apply(s *settings, _ *shared) C.int32_t {
	return C.cos_slice_client_set_secret_key(s.client, s.text(k.AppID), s.text(k.ID), s.text(k.Key))
}

// An Authorization is one string, made elsewhere, for all requests. It serves uploads to what it is bound to until it expires; then
// they end with [ErrCredentials], and another client with another string resumes them. Nothing is deleted by it. The string is left
// out wherever an Authorization is printed.
type Authorization struct {
	// AppID is the account's, in decimal digits.
	AppID string
	// Text is the string: a multi-effect signature.
	Text string
}

// Format leaves the string out.
func (a Authorization) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "{app id %s, authorization hidden}", a.AppID)
}

// MarshalText leaves the string out.
func (a Authorization) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", a), nil }

func (a Authorization) apply(s *settings, _ *shared) C.int32_t {
	return C.cos_slice_client_set_authorization(s.client, s.text(a.AppID), s.text(a.Text))
}

// SignerFunc has a function sign, for the account of an app id (decimal digits): for programs that must not have the key. The
// function gets the authorization string, from the application's own server for instance.
//
// It is asked once for each upload, again shortly before the string expires or when the service refuses it, and for each
// one-time signature. It may be called on several goroutines at once for different uploads, and may block, on half of the client's
// connections at most. Its context has the values of the upload's, and is done once that has cancelled the upload, by its deadline
// too: as context.Canceled, and context.Cause tells why. Where several uploads to one object are under way, it is done when none of
// them goes on. It is for the function to return then: an upload waits for it, however it ends. An error ends the upload with
// [ErrSigner], and errors.Is finds it there.
func SignerFunc(appID string, sign func(ctx context.Context, request SignRequest) (string, error)) Signer {
	return signerFunc{appID, sign}
}

type signerFunc struct {
	appID string
	sign  func(context.Context, SignRequest) (string, error)
}

func (f signerFunc) apply(s *settings, shared *shared) C.int32_t {
	return C.cosslice_set_signer(s.client, s.text(f.appID), hold(&callbackSigner{f.sign, shared}))
}

// callbackSigner is what C holds of a SignerFunc.
type callbackSigner struct {
	sign   func(context.Context, SignRequest) (string, error)
	shared *shared
}

// ask gives the authorization string, or why there is none.
func (s *callbackSigner) ask(request SignRequest) (answer string, isSigned bool) {
	calls := s.shared.asking(request.Bucket, request.Path)
	ctx, release := contextOf(calls)
	defer release()
	err := guarded(func() (err error) {
		answer, err = s.sign(ctx, request)
		return err
	})
	if err == nil {
		return answer, true
	}
	_, text, cause := examined(err)
	for _, call := range calls {
		call.keep(cause)
	}
	return text, false
}

// A SignRequest is what a signature is asked for.
type SignRequest struct {
	// Kind is which kind the request needs.
	Kind SignatureKind
	// Operation is the operation, as the service's documentation calls it, such as "upload_slice_init". A multi-effect signature is
	// used for other operations on the same path too. It does not go into the signature.
	Operation string
	// AppID is the account's, in decimal digits.
	AppID string
	// Bucket is the bucket's name.
	Bucket string
	// Path is the path within the bucket, without a leading slash; that of a directory ends with a slash.
	Path string
	// Lifetime is how long the signature should be good for: 1 second to 90 days. For [Sign] zero is the default.
	Lifetime time.Duration
}

func signRequestOf(c *C.cos_slice_sign_request) SignRequest {
	return SignRequest{
		Kind:      SignatureKind(c.kind),
		Operation: C.GoString(c.operation),
		AppID:     C.GoString(c.app_id),
		Bucket:    C.GoString(c.bucket),
		Path:      C.GoString(c.path),
		Lifetime:  time.Duration(c.lifetime_s) * time.Second,
	}
}

// A SignatureKind is how often a signature may be used.
type SignatureKind int32

// What a SignatureKind may be.
const (
	// Good for any number of requests until it expires; for everything but delete.
	MultiEffect SignatureKind = C.COS_SLICE_SIGNATURE_MULTI_EFFECT
	// Good for one request on one object; delete demands it.
	OneTime SignatureKind = C.COS_SLICE_SIGNATURE_ONE_TIME
)

// A SignatureScope is what a multi-effect signature is good for, should somebody get hold of it.
type SignatureScope int32

// What a SignatureScope may be.
const (
	// The object alone.
	SignatureScopePath SignatureScope = C.COS_SLICE_SIGNATURE_SCOPE_PATH
	// Everything in the object's directory, and below it.
	SignatureScopeDirectory SignatureScope = C.COS_SLICE_SIGNATURE_SCOPE_DIRECTORY
	// Everything in the bucket; bound to the bucket's root.
	SignatureScopeBucket SignatureScope = C.COS_SLICE_SIGNATURE_SCOPE_BUCKET
	// Everything in the bucket; bound to nothing, as old clients sign.
	SignatureScopeUnbound SignatureScope = C.COS_SLICE_SIGNATURE_SCOPE_UNBOUND
)

// Sign makes the authorization string that a [SignerFunc] elsewhere asks for, by this machine's clock: what an application's
// server does. The server decides first whether that client may have what the request asks for: whoever has the string can upload,
// and with a one-time signature delete, what it is bound to, until it expires. The key's AppID may be empty where the request has
// it, and the other way round.
func Sign(key SecretKey, scope SignatureScope, request SignRequest) (string, error) {
	if wrongLibrary != nil {
		return "", wrongLibrary
	}
	var t texts
	defer t.free()
	asked := C.cos_slice_sign_request{
		struct_size: C.sizeof_cos_slice_sign_request,
		kind:        C.int32_t(request.Kind),
		operation:   t.optional(request.Operation),
		app_id:      t.optional(request.AppID),
		bucket:      t.text(request.Bucket),
		path:        t.text(request.Path),
		lifetime_s:  in(time.Second, request.Lifetime),
	}
	var signature *C.cos_slice_signature
	var failure *C.cos_slice_error
	status := C.cos_slice_sign(t.text(key.AppID), t.text(key.ID), t.text(key.Key), C.int32_t(scope), &asked, &signature, &failure)
	if status != C.COS_SLICE_OK {
		return "", errorOf(status, failure)
	}
	defer C.cos_slice_signature_free(signature)
	return C.GoString(C.cos_slice_signature_text(signature)), nil
}
