package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend/log"
	"github.com/stretchr/testify/require"
)

// lines collects what reaches the SDK's logger.
type lines struct {
	log.Logger
	got []string
}

func (l *lines) add(level, msg string, args []any) {
	line := level + " " + msg
	for n, a := range args {
		line += strings.Repeat(",", min(n, 1)) + fmt.Sprintf(" %#v", a)
	}
	l.got = append(l.got, line)
}
func (l *lines) Debug(msg string, args ...any) { l.add("debug", msg, args) }
func (l *lines) Info(msg string, args ...any)  { l.add("info", msg, args) }
func (l *lines) Warn(msg string, args ...any)  { l.add("warn", msg, args) }
func (l *lines) Error(msg string, args ...any) { l.add("error", msg, args) }

func TestLogHandler(t *testing.T) {
	out := &lines{}
	logger := slog.New(NewLogHandler(out, slog.LevelDebug))
	f := func(want string, level slog.Level, args ...any) {
		t.Helper()
		out.got = nil
		logger.Log(t.Context(), level, "m", args...)
		require.Equal(t, []string{want}, out.got)
	}
	f(`debug m`, slog.LevelDebug)
	f(`info m "a", "b"`, slog.LevelInfo, "a", "b")
	f(`warn m "n", 1, "u", 0x2, "f", 0.5, "t", true`, slog.LevelWarn, "n", 1, "u", uint64(2), "f", 0.5, "t", true)
	f(`error m "err", "broken: x", "d", "1m30s"`, slog.LevelError+1, "err", fmt.Errorf("broken: %w", errors.New("x")), "d", 90*time.Second)
	f(`info m "at", "2026-03-01T12:00:00Z"`, slog.LevelInfo, "at", t0)
	f(`info m "g.a", "1", "g.h.b", 2`, slog.LevelInfo, slog.Group("g", slog.String("a", "1"), slog.Group("h", slog.Int("b", 2))))
	f(`info m "inline", 1`, slog.LevelInfo, slog.Group("", slog.Int("inline", 1)))
	f(`info m`, slog.LevelInfo, slog.Attr{})

	logger = slog.New(NewLogHandler(out, slog.LevelDebug)).With("a", 1).WithGroup("g").With("b", 2).WithGroup("")
	f(`info m "a", 1, "g.b", 2, "g.c", 3`, slog.LevelInfo, "c", 3)
	other := logger.With("x", 1)
	_ = logger.With("y", 2)
	out.got = nil
	other.Info("m")
	require.Equal(t, []string{`info m "a", 1, "g.b", 2, "g.x", 1`}, out.got, "loggers do not share attributes")
}

func TestLogLevel(t *testing.T) {
	out := &lines{}
	var level slog.LevelVar
	logger := slog.New(NewLogHandler(out, &level))
	logger.Debug("no")
	require.False(t, logger.Enabled(context.Background(), slog.LevelDebug))
	level.Set(slog.LevelDebug)
	logger.Debug("yes")
	level.Set(slog.LevelError)
	logger.Warn("no")
	require.Equal(t, []string{"debug yes"}, out.got)
}

func TestLogLinesAreBounded(t *testing.T) {
	out := &lines{}
	slog.New(NewLogHandler(out, slog.LevelInfo)).Info(strings.Repeat("m", 100_000), "s", strings.Repeat("x", 100_000), "e", errors.New(strings.Repeat("y", 100_000)))
	require.Less(t, len(out.got[0]), 4*logValueBytesMax)
}
