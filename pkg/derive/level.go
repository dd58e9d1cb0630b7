package derive

import (
	"slices"
	"strconv"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
)

// The levels that detection yields. A client's own detected_level, and a level in a label or in metadata, may be any other
// text besides.
const (
	LevelTrace    = "trace"
	LevelDebug    = "debug"
	LevelInfo     = "info"
	LevelWarn     = "warn"
	LevelError    = "error"
	LevelCritical = "critical"
	LevelFatal    = "fatal"
	LevelUnknown  = "unknown"
)

const levelWordBytesMax = len("information")

// knownLevel returns the level that a word stands for in any case, "" for a word that is none.
func knownLevel(word string) string {
	if len(word) < 3 || len(word) > levelWordBytesMax {
		return ""
	}
	var lower [levelWordBytesMax]byte
	for i := range len(word) {
		lower[i] = lowerASCII(word[i])
	}
	switch string(lower[:len(word)]) {
	case "info", "inf", "information":
		return LevelInfo
	case "error", "err":
		return LevelError
	case "warn", "wrn", "warning":
		return LevelWarn
	case "debug", "dbg":
		return LevelDebug
	case "trace", "trc":
		return LevelTrace
	case "critical":
		return LevelCritical
	case "fatal":
		return LevelFatal
	}
	return ""
}

// normalizeLevel returns the level that a value stands for, or the value itself.
func normalizeLevel(value string) string {
	if level := knownLevel(value); level != "" {
		return level
	}
	return value
}

// ownLevel copies a level that may point into a request's buffer: levels become keys of dictionaries and outlive it.
func ownLevel(level string) string {
	switch level {
	case LevelTrace:
		return LevelTrace
	case LevelDebug:
		return LevelDebug
	case LevelInfo:
		return LevelInfo
	case LevelWarn:
		return LevelWarn
	case LevelError:
		return LevelError
	case LevelCritical:
		return LevelCritical
	case LevelFatal:
		return LevelFatal
	case LevelUnknown:
		return LevelUnknown
	}
	return strings.Clone(level)
}

// levelOfSeverity maps an OpenTelemetry severity number: four numbers to a level, from trace to fatal.
func levelOfSeverity(text string) string {
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return LevelInfo
	case n == 0 || n > 24:
		return LevelUnknown
	case n <= 4:
		return LevelTrace
	case n <= 8:
		return LevelDebug
	case n <= 12:
		return LevelInfo
	case n <= 16:
		return LevelWarn
	case n <= 20:
		return LevelError
	}
	return LevelFatal
}

// levelFields are the names that a level is looked for in lines under.
type levelFields struct {
	names   []string
	folded  []string // of the names those that differ by more than case: an earlier one stands for the rest
	longest int
	// lengths has bit min(n, 63) set under a byte when a name of n bytes begins with it.
	lengths [256]uint64
	// lastByte tells the bytes that a key can end with when case does not matter.
	lastByte [256]bool
}

func newLevelFields(names []string) levelFields {
	f := levelFields{}
	for _, n := range names {
		if n == "" {
			continue
		}
		f.names = append(f.names, n)
		if !slices.ContainsFunc(f.folded, func(other string) bool { return strings.EqualFold(n, other) }) {
			f.folded = append(f.folded, n)
		}
		f.lengths[n[0]] |= 1 << min(len(n), 63)
		f.longest = max(f.longest, len(n))
		last := n[len(n)-1]
		f.lastByte[lowerASCII(last)], f.lastByte[upperASCII(last)] = true, true
	}
	for c := 0x80; c < 0x100; c++ {
		f.lastByte[c] = true // of a letter whose other case lies in ASCII
	}
	return f
}

// has reports whether key is one of the names.
func (f *levelFields) has(key string) bool {
	if key == "" || f.lengths[key[0]]>>min(len(key), 63)&1 == 0 {
		return false
	}
	return slices.Contains(f.names, key)
}

// levelOfLine finds the level in a line: under one of the names when the line is JSON or logfmt, else the first word that
// names a level.
func (d *Deriver) levelOfLine(line string) string {
	var value string
	switch {
	case isJSON(line):
		value = d.fields.inJSON(line, d.options.JSONMaxDepth)
	case strings.IndexByte(line, '=') >= 0:
		value = d.fields.inLogfmt(line)
	}
	if level := knownLevel(value); level != "" {
		return level
	}
	level := firstLevelWord(line)
	invariant.Check(level != "", "no level for a line of %d bytes", len(line))
	return level
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func upperASCII(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}
