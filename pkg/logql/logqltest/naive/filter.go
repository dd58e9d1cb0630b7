package naive

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// holds reports whether a label filter holds. Both sides of "and" are asked: either may note an error.
func (r *row) holds(f syntax.LabelFilter) (bool, error) {
	switch f := f.(type) {
	case *syntax.MatcherFilter:
		value, _ := r.get(f.Matcher.Name)
		return f.Matcher.Matches(value), nil
	case *syntax.NumberFilter:
		return compare(r, f.Label, f.Op, f.Value, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }), nil
	case *syntax.DurationFilter:
		return compare(r, f.Label, f.Op, f.Value, time.ParseDuration), nil
	case *syntax.BytesFilter:
		return compare(r, f.Label, f.Op, f.Value, humanize.ParseBytes), nil
	case *syntax.IPFilter:
		value, ok := r.get(f.Label)
		if r.err != "" || !ok {
			return r.err != "", nil
		}
		found, err := hasAddress(value, f.Range)
		return found != f.Negate, err
	case *syntax.AndFilter:
		all := true
		for _, m := range f.Filters {
			ok, err := r.holds(m)
			if err != nil {
				return false, err
			}
			all = all && ok
		}
		return all, nil
	case *syntax.OrFilter:
		for _, m := range f.Filters {
			if ok, err := r.holds(m); err != nil || ok {
				return ok, err
			}
		}
		return false, nil
	}
	return false, fmt.Errorf("label filter %s is unknown here", f)
}

// compare drops what has no such label, and keeps what has one that cannot be read, with an error unless there is one.
func compare[T cmp.Ordered](r *row, name string, op syntax.CompareOp, than T, parse func(string) (T, error)) bool {
	text, ok := r.get(name)
	if !ok {
		return false
	}
	value, err := parse(text)
	if err != nil {
		if r.err == "" {
			r.fail("LabelFilterErr", err.Error())
		}
		return true
	}
	switch op {
	case syntax.CompareEqual:
		return value == than
	case syntax.CompareNotEqual:
		return value != than
	case syntax.CompareGreater:
		return value > than
	case syntax.CompareGreaterEqual:
		return value >= than
	case syntax.CompareLess:
		return value < than
	}
	return value <= than
}

// The words that addresses may be: of IPv4 (a port behind it is none of it), of IPv6.
var addressWords = []*regexp.Regexp{regexp.MustCompile(`[0-9.]+`), regexp.MustCompile(`[0-9a-fA-F:.]+`)}

// hasAddress looks for an address of a range: among the words of a text that read as an address.
func hasAddress(text, within string) (bool, error) {
	set, err := syntax.ParseIPRange(within)
	if err != nil {
		return false, err
	}
	for _, words := range addressWords {
		for _, word := range words.FindAllString(text, -1) {
			a, err := netip.ParseAddr(strings.TrimRight(word, "."))
			if err == nil && set.Contains(a) {
				return true, nil
			}
		}
	}
	return false, nil
}
