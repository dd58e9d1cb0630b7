package chunk

import (
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/match"
)

// Probe asks filters whether a chunk may hold a line that a matcher matches. It is read-only and safe for concurrent use; nil
// is a probe that skips nothing.
type Probe struct {
	required []anyOf // all of them
}

// anyOf holds when one of its needles may be there.
type anyOf []needle

// needle is a text that may be there when all its keys are.
type needle struct {
	keys []uint64
	// folds: the text has a k or an s and matches regardless of case, so that lines with U+212A or U+017F may match without
	// its keys.
	folds bool
}

// NewProbe makes a probe of what every matching line must contain. It returns nil when that has no keys.
func NewProbe(m *match.Matcher) *Probe {
	x := keyers.Get().(*keyer)
	defer x.release()
	p := &Probe{}
	for _, r := range m.Required() {
		choices := make(anyOf, 0, len(r))
		for _, l := range r {
			n := needle{keys: x.needleKeys(l.Text), folds: l.Fold && strings.ContainsAny(l.Text, "ks")}
			if len(n.keys) == 0 {
				choices = nil
				break
			}
			choices = append(choices, n)
		}
		if len(choices) > 0 {
			p.required = append(p.required, choices)
		}
	}
	if len(p.required) == 0 {
		return nil
	}
	return p
}

// needleKeys returns keys that every line with the text has, those that tell most first.
func (x *keyer) needleKeys(text string) []uint64 {
	x.reset(0)
	x.addNeedle([]byte(text))
	keys := x.appendTo(nil)
	return keys[:min(len(keys), probeKeysMax)]
}

// MayMatch reports whether the chunk of the filter may hold a line that matches. False is certain.
func (p *Probe) MayMatch(f Filter) bool {
	if p == nil || f.knowsNothing() {
		return true
	}
	b := f.bloom()
	exotic := f.flags&filterExotic != 0
	for _, choices := range p.required {
		if !choices.mayHold(b, exotic) {
			return false
		}
	}
	return true
}

func (a anyOf) mayHold(b bloom, exotic bool) bool {
	for i := range a {
		if n := &a[i]; (exotic && n.folds) || n.mayBeIn(b) {
			return true
		}
	}
	return false
}

func (n *needle) mayBeIn(b bloom) bool {
	if len(b) == 0 {
		return false // lines without keys
	}
	for _, key := range n.keys {
		if !b.has(key) {
			return false
		}
	}
	return true
}
