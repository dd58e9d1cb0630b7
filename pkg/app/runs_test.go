package app

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/plugin"
)

const goldenRuns = "woodshed runs 1\nstart 1700000000 4711\nend 1700000100 4711\nstart 1700000200 17\n"

func TestRunsAreReadAsWritten(t *testing.T) {
	want := []run{{runStart, 1700000000, 4711}, {runEnd, 1700000100, 4711}, {runStart, 1700000200, 17}}
	require.Equal(t, want, parseRuns([]byte(goldenRuns)))
	require.Equal(t, goldenRuns, string(encodeRuns(want)))
	for _, bad := range []string{
		"", "start 1 1\n", "woodshed runs 2\nstart 1 1\n", runsHeader + "start 1", runsHeader + "stop 1 1\n", runsHeader + "start -1 1\n", runsHeader + "start 1 0\n",
		runsHeader + "start 1 1 1\n", runsHeader + "start  1\n", runsHeader + "\x00\n", runsHeader + "start 99999999999999999999 1\n",
	} {
		require.Empty(t, parseRuns([]byte(bad)), "%q", bad)
	}
	many := make([]run, 3*runsKept)
	for n := range many {
		many[n] = run{runStart, int64(n), 1}
	}
	require.Equal(t, many[2*runsKept:], parseRuns(encodeRuns(many)))
	require.Equal(t, many[2*runsKept:], parseRuns(append(encodeRuns(nil), encodeAll(many)...)))
	require.Less(t, len(encodeRuns(many))*2, runsBytesMax)
}

func encodeAll(runs []run) (out []byte) {
	for _, r := range runs {
		out = append(out, r.String()...)
	}
	return out
}

func FuzzRuns(f *testing.F) {
	f.Add([]byte(goldenRuns))
	f.Add([]byte(runsHeader + "start 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		runs := parseRuns(data)
		require.LessOrEqual(t, len(runs), runsKept)
		if len(runs) > 0 { // the empty one is nil or not
			require.Equal(t, runs, parseRuns(encodeRuns(runs)))
		}
		require.LessOrEqual(t, len(crashes(runs)), len(runs))
	})
}

func TestACrashIsAStartWithoutAnEnd(t *testing.T) {
	f := func(lines string, want ...int64) {
		t.Helper()
		var got []int64
		for _, at := range crashes(parseRuns([]byte(runsHeader + strings.ReplaceAll(lines, ";", "\n")))) {
			got = append(got, at.Unix())
		}
		require.Equal(t, want, got)
	}
	f("")
	f("start 1 7;")
	f("start 1 7;end 2 7;start 3 8;end 4 8;start 5 9;")
	f("start 1 7;start 2 8;start 3 9;", 2, 3)
	f("start 1 7;start 2 7;start 3 7;", 2, 3)                  // in a container
	f("start 1 7;end 2 7;start 3 7;start 4 7;end 5 7;", 4)     //
	f("end 1 7;start 2 7;end 3 8;start 4 8;", 4)               // the end of another process is not its end
	f("start 1 7;start 2 8;end 3 7;end 4 8;start 5 9;", 2)     // one that waited for the directory left later
	f("nonsense;start 1 7;nonsense;start 2 8;start 3 7 7;", 2) //
}

func newRunStore(t *testing.T, dir string) *store {
	t.Helper()
	return &store{dir: dir, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func TestHealthTellsOfACrashLoop(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1700000000, 0)
	for n := range 5 { // each without an end
		s := newRunStore(t, dir)
		s.beginRun(now)
		s.beginRun(now) // tried again: it is one start
		notice, shown := s.crashWarning(now)
		require.Equal(t, n >= crashesShown, shown, n)
		if n == 4 {
			require.Equal(t, plugin.Notice{
				Text: "Woodshed ended without notice 4 times in the last 10 minutes; nothing acknowledged is lost. An Admin sees here where to look.",
				Detail: "Woodshed ended without notice 4 times in the last 10 minutes; nothing acknowledged is lost. If it crashed, the end of " + filepath.Join(dir, "crash.log") +
					" says where; if it was killed for want of memory, dmesg says so: lower memory_limit or give the machine more.",
			}, notice)
			_, shown = s.crashWarning(now.Add(crashesWithin))
			require.False(t, shown, "it is over")
		}
		now = now.Add(time.Second)
	}
	for range 5 {
		s := newRunStore(t, dir)
		s.beginRun(now)
		s.endRun(now)
		now = now.Add(crashesWithin / 4)
	}
	s := newRunStore(t, dir)
	s.beginRun(now)
	_, shown := s.crashWarning(now)
	require.False(t, shown, "orderly ends are none")
	newRunStore(t, dir).endRun(now) // never began
	require.Len(t, parseRuns(read(t, filepath.Join(dir, runsName))), 16)
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

// TestRunsNeedNoDisk: these files are for people; a directory that cannot be written to is for the store to tell of.
func TestRunsNeedNoDisk(t *testing.T) {
	s := newRunStore(t, filepath.Join(t.TempDir(), "missing"))
	s.beginRun(time.Now())
	s.endRun(time.Now())
	s.logCrashes()
	_, shown := s.crashWarning(time.Now())
	require.False(t, shown)
}

func TestCrashLogIsBounded(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, crashLogName)
	s := newRunStore(t, dir)
	for _, size := range []int{crashLogBytesMax, crashLogBytesMax + 1, crashLogBytesMax + 2} {
		require.NoError(t, os.WriteFile(name, make([]byte, size), 0o600))
		s.logCrashes()
	}
	require.Empty(t, read(t, name))
	require.Len(t, read(t, name+crashLogOld), crashLogBytesMax+2, "the last one before")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
}
