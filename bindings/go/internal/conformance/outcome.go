package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"cosslice"
)

type progress struct {
	Phase        cosslice.Phase `json:"phase"`
	Total        int64          `json:"total"`
	Acknowledged int64          `json:"acknowledged"`
	Resumed      int64          `json:"resumed"`
}

type success struct {
	Status       string   `json:"status"`
	Outcome      string   `json:"outcome"`
	Size         int64    `json:"size"`
	BytesSent    int64    `json:"bytes_sent"`
	BytesResumed int64    `json:"bytes_resumed"`
	SlicesSent   int64    `json:"slices_sent"`
	Retries      int64    `json:"retries"`
	Verified     bool     `json:"verified"`
	SHA1         *string  `json:"sha1"`
	AccessURL    *string  `json:"access_url"`
	SourceURL    *string  `json:"source_url"`
	URL          *string  `json:"url"`
	ResourcePath *string  `json:"resource_path"`
	PreviewURL   *string  `json:"preview_url"`
	VID          *string  `json:"vid"`
	Warning      *string  `json:"warning"`
	Progress     progress `json:"progress"`
}

func successOf(object *cosslice.Object, last cosslice.Progress) success {
	return success{
		Status:       nameOf(cosslice.OK),
		Outcome:      object.Outcome.String(),
		Size:         object.Size,
		BytesSent:    object.BytesSent,
		BytesResumed: object.BytesResumed,
		SlicesSent:   object.SlicesSent,
		Retries:      object.Retries,
		Verified:     object.Verified,
		SHA1:         orNull(object.SHA1),
		AccessURL:    orNull(object.AccessURL),
		SourceURL:    orNull(object.SourceURL),
		URL:          orNull(object.URL),
		ResourcePath: orNull(object.ResourcePath),
		PreviewURL:   orNull(object.PreviewURL),
		VID:          orNull(object.VID),
		Warning:      orNull(object.Warning),
		Progress:     progress{last.Phase, last.Total, last.Acknowledged, last.Resumed},
	}
}

type failure struct {
	Status        string  `json:"status"`
	ServerCode    int64   `json:"server_code"`
	HTTPStatus    int     `json:"http_status"`
	RequestID     *string `json:"request_id"`
	OSErrno       int     `json:"os_errno"`
	Retryable     bool    `json:"retryable"`
	Attempts      int     `json:"attempts"`
	SliceOffset   int64   `json:"slice_offset"`
	Operation     *string `json:"operation"`
	CallbackValue int     `json:"callback_value"`
	Message       string  `json:"message"`
}

// failureOf tells an error of the package; any other one is a defect of it.
func failureOf(err error) failure {
	var e *cosslice.Error
	if !errors.As(err, &e) {
		panic(err)
	}
	return failure{
		Status:        nameOf(e.Status),
		ServerCode:    e.ServerCode,
		HTTPStatus:    e.HTTPStatus,
		RequestID:     orNull(e.RequestID),
		OSErrno:       int(e.OSErrno),
		Retryable:     e.Retryable(),
		Attempts:      e.Attempts,
		SliceOffset:   e.SliceOffset,
		Operation:     orNull(e.Operation),
		CallbackValue: e.CallbackValue,
		Message:       e.Message,
	}
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func nameOf(status cosslice.Status) string { return strings.TrimPrefix(status.Name(), "COS_SLICE_") }

// Every status that the package has.
var statuses = []cosslice.Status{
	cosslice.OK, cosslice.ErrInvalidArgument, cosslice.ErrBusy, cosslice.ErrPanic, cosslice.ErrFileOpen, cosslice.ErrFileRead,
	cosslice.ErrSourceChanged, cosslice.ErrResources, cosslice.ErrCheckpointBusy, cosslice.ErrSigner, cosslice.ErrNotRestartable,
	cosslice.ErrResolve, cosslice.ErrConnect, cosslice.ErrTLS, cosslice.ErrConnectionLost, cosslice.ErrTimedOut,
	cosslice.ErrBadReply, cosslice.ErrRefused, cosslice.ErrCredentials, cosslice.ErrNoBucket, cosslice.ErrObjectExists,
	cosslice.ErrOtherUpload, cosslice.ErrNotFound, cosslice.ErrTooLarge, cosslice.ErrServerBusy, cosslice.ErrServerFailed,
	cosslice.ErrContentRejected, cosslice.ErrVerifyFailed, cosslice.ErrOutcomeUnknown, cosslice.ErrCancelled,
	cosslice.ErrAbortedByCallback, cosslice.ErrDeadline, cosslice.ErrStillRunning, cosslice.ErrNotStarted,
}

func hello() any {
	numbers := map[string]cosslice.Status{}
	for _, status := range statuses {
		numbers[nameOf(status)] = status
	}
	return map[string]any{
		"hello":          "go",
		"version":        cosslice.Version(),
		"statuses":       numbers,
		"client_options": append(slices.Sorted(maps.Keys(clientOptions)), "log"),
		"upload_options": append(slices.Sorted(maps.Keys(uploadOptions)), sources...),
	}
}

// A log entry by what is the same in all languages.
type entry struct {
	Level      int     `json:"level"`
	Operation  *string `json:"operation"`
	Offset     int64   `json:"offset"`
	Attempt    int64   `json:"attempt"`
	ServerCode int64   `json:"server_code"`
}

// collector is a handler that keeps what is at least as important as its level, one of C's.
type collector struct {
	level   int
	mu      sync.Mutex
	entries []entry
}

func (c *collector) all() []entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]entry{}, c.entries...)
}

// numberOf is the level's number in C.
func numberOf(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 1
	case level >= slog.LevelWarn:
		return 2
	case level >= slog.LevelInfo:
		return 3
	}
	return 4
}

func (c *collector) Enabled(_ context.Context, level slog.Level) bool {
	return numberOf(level) <= c.level
}

func (c *collector) Handle(_ context.Context, record slog.Record) error {
	e := entry{Level: numberOf(record.Level), Offset: -1}
	record.Attrs(func(attribute slog.Attr) bool {
		switch attribute.Key {
		case "operation":
			e.Operation = orNull(attribute.Value.String())
		case "offset":
			e.Offset = attribute.Value.Int64()
		case "attempt":
			e.Attempt = attribute.Value.Int64()
		case "server_code":
			e.ServerCode = attribute.Value.Int64()
		}
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = append(c.entries, e)
	return nil
}

func (c *collector) WithAttrs([]slog.Attr) slog.Handler { return c }

func (c *collector) WithGroup(string) slog.Handler { return c }
