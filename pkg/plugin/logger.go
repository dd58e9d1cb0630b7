package plugin

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend/log"
)

// LogHandler lets log/slog write to the SDK's logger, whose lines Grafana parses and prints as logger
// plugin.woodshed-logs-datasource.
type LogHandler struct {
	out   log.Logger
	level slog.Leveler
	args  []any  // of WithAttrs, flattened to keys and values
	group string // prefix of keys: the groups that are open, each with a dot
}

// NewLogHandler returns a handler for lines from level on.
func NewLogHandler(out log.Logger, level slog.Leveler) *LogHandler {
	return &LogHandler{out: out, level: level}
}

var _ slog.Handler = (*LogHandler)(nil)

// Enabled implements slog.Handler.
func (h *LogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle implements slog.Handler.
func (h *LogHandler) Handle(_ context.Context, r slog.Record) error {
	args := slices.Clip(h.args)
	r.Attrs(func(a slog.Attr) bool {
		args = appendAttr(args, h.group, a)
		return true
	})
	message := truncate(r.Message)
	switch {
	case r.Level >= slog.LevelError:
		h.out.Error(message, args...)
	case r.Level >= slog.LevelWarn:
		h.out.Warn(message, args...)
	case r.Level >= slog.LevelInfo:
		h.out.Info(message, args...)
	default:
		h.out.Debug(message, args...)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (h *LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.args = slices.Clip(h.args)
	for _, a := range attrs {
		next.args = appendAttr(next.args, h.group, a)
	}
	return &next
}

// WithGroup implements slog.Handler.
func (h *LogHandler) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.group += name + "."
	}
	return &next
}

// appendAttr flattens one attribute to key and value; groups become prefixes with dots.
func appendAttr(args []any, prefix string, a slog.Attr) []any {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			args = appendAttr(args, prefix, inner)
		}
		return args
	}
	if a.Equal(slog.Attr{}) {
		return args
	}
	return append(args, prefix+a.Key, logValue(v))
}

// logValue makes a value that JSON can hold and a person can read.
func logValue(v slog.Value) any {
	switch v.Kind() {
	case slog.KindInt64:
		return v.Int64()
	case slog.KindUint64:
		return v.Uint64()
	case slog.KindFloat64:
		return v.Float64()
	case slog.KindBool:
		return v.Bool()
	case slog.KindTime:
		return v.Time().Format(time.RFC3339Nano)
	case slog.KindDuration:
		return v.Duration().String()
	case slog.KindString:
		return truncate(v.String())
	}
	return truncate(fmt.Sprint(v.Any())) // errors and Stringers in their own words
}

// truncate bounds a text: Grafana reads lines of at most 64 KiB.
func truncate(s string) string {
	if len(s) > logValueBytesMax {
		return s[:logValueBytesMax] + "…"
	}
	return s
}
