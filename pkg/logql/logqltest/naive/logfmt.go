package naive

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

const logfmtError = "LogfmtParserErr"

var errLogfmt = errors.New("malformed logfmt")

// pair is key=value; a key alone has the value "".
type pair struct{ key, value string }

// pairs reads a line of key=value. Of what cannot be read it goes on at the next blank and says so at the end; strict ends
// there.
func pairs(line string, strict bool) (list []pair, err error) {
	for {
		line = strings.TrimLeftFunc(line, blank)
		if line == "" {
			return list, err
		}
		p, n, ok := nextPair(line)
		line = line[n:]
		if ok {
			list = append(list, p)
			continue
		}
		if err = errLogfmt; strict {
			return list, err
		}
	}
}

func blank(c rune) bool { return c <= ' ' }

// nextPair reads what begins a line, and says how much that was.
func nextPair(line string) (p pair, n int, ok bool) {
	blankAt := indexOr(line, strings.IndexFunc(line, blank))
	skip := func(from int) (pair, int, bool) { // to the next blank
		return pair{}, from + indexOr(line[from:], strings.IndexFunc(line[from:], blank)), false
	}
	end := indexOr(line, strings.IndexFunc(line, func(c rune) bool { return c == '=' || c == '"' || blank(c) }))
	p.key = line[:end]
	switch {
	case strings.ContainsRune(p.key, utf8.RuneError) || end < len(line) && line[end] == '"' || end == 0:
		return skip(end)
	case end == blankAt:
		return p, end, true
	}
	value := line[end+1:]
	if strings.HasPrefix(value, `"`) {
		length := quoted(value)
		if length == 0 {
			return pair{}, len(line), false
		}
		p.value, ok = unquoteLogfmt(value[:length])
		return p, end + 1 + length, ok
	}
	if i := strings.IndexAny(value[:blankAt-end-1], `="`); i >= 0 {
		return skip(end + 1 + i)
	}
	p.value = line[end+1 : blankAt]
	return p, blankAt, true
}

func indexOr(s string, i int) int {
	if i < 0 {
		return len(s)
	}
	return i
}

func unquoteLogfmt(text string) (string, bool) {
	if s, ok := unquote(text); ok {
		return s, true
	}
	s, err := strconv.Unquote(text)
	return s, err == nil
}

func (r *row) logfmt(s *syntax.Logfmt) {
	list, err := pairs(r.line, s.Strict)
	for _, p := range list {
		if name := sanitize(p.key); name != "" && (p.value != "" || s.KeepEmpty) {
			r.extract(name, p.value)
		}
	}
	if err != nil && s.Strict {
		r.fail(logfmtError, err.Error())
	}
}

// logfmtKeys makes a label of each key, "" for what is not there. Of equal keys the last counts.
func (r *row) logfmtKeys(s *syntax.Logfmt) error {
	list, err := pairs(r.line, s.Strict)
	for _, e := range s.Extractions {
		key, err := syntax.ParseLogfmtKey(e.Path)
		if err != nil {
			return err
		}
		value, found := "", false
		for _, p := range list {
			if sanitize(p.key) == key {
				value, found = p.value, true
			}
		}
		switch {
		case !r.clashes(e.Label):
			r.set(e.Label, value)
		case found && !r.made[e.Label+extracted]:
			r.set(e.Label+extracted, value)
		}
	}
	if err != nil && s.Strict {
		r.fail(logfmtError, err.Error())
	}
	return nil
}
