package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/plugin"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// The data directory has two files about the processes that had it, both for people and neither needed to open a store.
//
// crash.log has what the Go runtime printed at the end of a process. Beyond crashLogBytesMax the next start puts it aside
// as crash.log.old, in the place of the one before, so that a process that dies every second does not fill the disk.
//
// runs.log has a line per start and per orderly end, so that a start without an end is a process that was killed or
// crashed; health tells when that happened several times of late. Every start writes it anew with the last runsKept lines:
//
//	woodshed runs 1
//	start 1700000000 4711
//	end 1700000100 4711
//
// The words are Unix seconds and the process id. A first line that is another one, and lines that are not such, count for
// nothing.
const (
	crashLogName     = "crash.log"
	crashLogOld      = ".old"
	crashLogBytesMax = 1 << 20

	runsName     = "runs.log"
	runsHeader   = "woodshed runs 1\n"
	runsKept     = 200
	runsBytesMax = 64 << 10 // several times what runsKept lines take

	runStart = "start"
	runEnd   = "end"

	// Health speaks of crashes when there were so many in so long: one is in the log, three are a loop.
	crashesShown  = 3
	crashesWithin = 10 * time.Minute
)

// run is a line of runs.log.
type run struct {
	word string // runStart or runEnd
	at   int64  // Unix seconds
	pid  int
}

func (r run) String() string { return fmt.Sprintf("%s %d %d\n", r.word, r.at, r.pid) }

// parseRuns reads the last runsKept lines that can be read.
func parseRuns(data []byte) []run {
	rest, found := bytes.CutPrefix(data, []byte(runsHeader))
	if !found {
		return nil
	}
	var out []run
	for line := range strings.Lines(string(rest)) {
		words := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(words) != 3 || words[0] != runStart && words[0] != runEnd || !strings.HasSuffix(line, "\n") {
			continue
		}
		at, atErr := strconv.ParseInt(words[1], 10, 64)
		pid, pidErr := strconv.Atoi(words[2])
		if atErr == nil && pidErr == nil && at >= 0 && pid > 0 {
			out = append(out, run{words[0], at, pid})
		}
	}
	return out[max(0, len(out)-runsKept):]
}

func encodeRuns(runs []run) []byte {
	b := []byte(runsHeader)
	for _, r := range runs[max(0, len(runs)-runsKept):] {
		b = append(b, r.String()...)
	}
	return b
}

// crashes returns when starts found that the process before had not ended in order. A process id says little: in a
// container it is the same for ever.
func crashes(runs []run) []time.Time {
	var out []time.Time
	open := 0 // process id of the start without an end, 0 for none
	for _, r := range runs {
		switch {
		case r.word == runEnd && r.pid == open:
			open = 0
		case r.word == runStart:
			if open != 0 {
				out = append(out, time.Unix(r.at, 0))
			}
			open = r.pid
		}
	}
	return out
}

// beginRun notes this process's start, once, and remembers the crashes before it. Called with the lock of the directory
// held. What cannot be read or written is for the log alone: a full disk must not keep a store from opening.
func (s *store) beginRun(now time.Time) {
	if s.runBegun {
		return
	}
	s.runBegun = true
	name := filepath.Join(s.dir, runsName)
	data, err := vfs.ReadFile(vfs.OS(), name, runsBytesMax)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("earlier starts are not known", "err", err)
	}
	runs := append(parseRuns(data), run{runStart, now.Unix(), os.Getpid()})
	s.mu.Lock()
	s.crashes = crashes(runs)
	s.mu.Unlock()
	if err := vfs.ReplaceFile(vfs.OS(), name, encodeRuns(runs)); err != nil {
		s.log.Warn("this start is not noted", "err", err)
	}
}

// endRun notes an orderly end. One line is appended: the lock may be another process's already when the store never opened.
func (s *store) endRun(now time.Time) {
	if !s.runBegun {
		return
	}
	f, err := os.OpenFile(filepath.Join(s.dir, runsName), os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(run{runEnd, now.Unix(), os.Getpid()}.String())
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		s.log.Warn("this end is not noted", "err", err)
	}
}

// crashWarning says that the process ended without notice several times of late.
func (s *store) crashWarning(now time.Time) (plugin.Notice, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, at := range s.crashes {
		if now.Sub(at) < crashesWithin {
			n++
		}
	}
	if n < crashesShown {
		return plugin.Notice{}, false
	}
	text := fmt.Sprintf("Woodshed ended without notice %d times in the last %d minutes; nothing acknowledged is lost. ", n, crashesWithin/time.Minute)
	return plugin.Notice{
		Text: text + "An Admin sees here where to look.",
		Detail: text + fmt.Sprintf("If it crashed, the end of %s says where; if it was killed for want of memory, dmesg says so: lower memory_limit or give the machine more.",
			filepath.Join(s.dir, crashLogName)),
	}, true
}

// logCrashes sends what the Go runtime prints at its end to a file: Grafana shows a plugin's stderr only at debug level.
func (s *store) logCrashes() {
	name := filepath.Join(s.dir, crashLogName)
	if info, err := os.Stat(name); err == nil && info.Size() > crashLogBytesMax {
		if err := os.Rename(name, name+crashLogOld); err != nil {
			s.log.Warn("the log of crashes grows", "err", err)
		}
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.log.Warn("crashes are not logged to a file", "err", err)
		return
	}
	defer f.Close() // SetCrashOutput keeps a duplicate
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		s.log.Warn("crashes are not logged to a file", "err", err)
	}
}
