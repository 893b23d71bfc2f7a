package cosslice

// #include <cos_slice.h>
import "C"

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
)

// logSink is what C holds of a Logger.
type logSink struct {
	logger   *slog.Logger
	shared   *shared
	panicked atomic.Bool
}

func (s *logSink) write(entry *C.cos_slice_log_entry) {
	if s.panicked.Load() {
		return
	}
	err := guarded(func() error {
		level := levelOf(entry.level)
		if s.logger.Enabled(context.Background(), level) {
			s.logger.LogAttrs(context.Background(), level, C.GoString(entry.message), attributesOf(entry)...)
		}
		return nil
	})
	if err != nil {
		s.panicked.Store(true)
		s.shared.mu.Lock()
		defer s.shared.mu.Unlock()
		errors.As(err, &s.shared.panicked)
	}
}

// levelOf is the level of Go for one of C; what is unknown is more detailed than the known ones.
func levelOf(level C.int32_t) slog.Level {
	switch level {
	case C.COS_SLICE_LOG_ERROR:
		return slog.LevelError
	case C.COS_SLICE_LOG_WARNING:
		return slog.LevelWarn
	case C.COS_SLICE_LOG_INFO:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// attributesOf are the parts of an entry that it has.
func attributesOf(entry *C.cos_slice_log_entry) []slog.Attr {
	var attributes []slog.Attr
	text := func(key string, value *C.char) {
		if value != nil {
			attributes = append(attributes, slog.String(key, C.GoString(value)))
		}
	}
	number := func(key string, value, absent int64) {
		if value != absent {
			attributes = append(attributes, slog.Int64(key, value))
		}
	}
	text("bucket", entry.bucket)
	text("path", entry.path)
	text("operation", entry.operation)
	number("offset", int64(entry.offset), -1)
	number("attempt", int64(entry.attempt), 0)
	number("server_code", int64(entry.server_code), 0)
	number("http_status", int64(entry.http_status), 0)
	text("request_id", entry.request_id)
	return attributes
}
