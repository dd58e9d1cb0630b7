package pipeline

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// labelStep keeps the entries for which a label filter holds. Most filters ask for labels of the stream alone; so each
// stream of the batch is asked first, and its entries only when that does not decide.
type labelStep struct {
	test     labelTest
	verdicts []verdict // per stream of the batch

	levels   []levelVerdict // of entries without metadata of the stream levelsOf of the batch
	levelsOf uint32
	subject  subject // scratch of ask
}

type levelVerdict struct {
	level   string
	verdict verdict
}

// verdict is what is known of a filter for all entries of a stream.
type verdict uint8

const (
	depends verdict = iota // on the entry
	passes
	fails
)

// subject is what a label filter is asked about.
type subject struct {
	stream     labels.Labels
	streamOnly bool // the entry's own labels are not known: what is not the stream's depends
	metadata   []model.Pair
	level      string
	err        EntryError
	errChanged bool
	// row, when it is not nil, is asked instead of all of the above.
	row *row
}

// labelTest is one label filter at work.
type labelTest interface{ test(s *subject) verdict }

func newLabelStep(f syntax.LabelFilter, needs *Needs) (*labelStep, error) {
	t, err := newLabelTest(f, needs)
	if err != nil {
		return nil, err
	}
	return &labelStep{test: t}, nil
}

func (st *labelStep) run(b *Batch) {
	st.verdicts = st.verdicts[:0]
	for _, stream := range b.Streams {
		st.verdicts = append(st.verdicts, st.test.test(&subject{stream: stream, streamOnly: true}))
	}
	st.levels, st.levelsOf = st.levels[:0], 0 // another batch, other streams
	for i := b.Selected.Next(0); i >= 0; i = b.Selected.Next(i + 1) {
		v := st.verdicts[b.StreamIndex[i]]
		if v == depends {
			v = st.ask(b, i)
		}
		if v == fails {
			b.Selected.Remove(i)
		}
	}
}

// levelsMax bounds the levels that ask remembers; there are eight, and whatever clients make up.
const levelsMax = 16

// ask asks about one entry. Entries of a stream without metadata and errors differ in their level alone: what was found
// for a level holds for the next entry that has it.
func (st *labelStep) ask(b *Batch, i int) verdict {
	st.subject = subject{stream: b.Streams[b.StreamIndex[i]], err: b.Errors[i]}
	s := &st.subject
	if b.Metadata != nil {
		s.metadata = b.Metadata[i]
	}
	if b.Levels != nil {
		s.level = b.Levels[i]
	}
	plain := len(s.metadata) == 0 && s.err.Class == ""
	if plain && st.levelsOf != b.StreamIndex[i] {
		st.levelsOf, st.levels = b.StreamIndex[i], st.levels[:0]
	}
	if plain {
		for _, known := range st.levels {
			if known.level == s.level {
				return known.verdict
			}
		}
	}
	v := st.test.test(s)
	if s.errChanged {
		b.setError(i, s.err)
		return v
	}
	if plain && len(st.levels) < levelsMax {
		st.levels = append(st.levels, levelVerdict{s.level, v})
	}
	return v
}

// get returns the value of a name. known is false when it depends on the entry.
func (s *subject) get(name string) (value string, present, known bool) {
	if s.row != nil {
		value, present = s.row.get(name)
		return value, present, true
	}
	switch name {
	case ErrorLabel:
		return s.err.Class, s.err.Class != "", !s.streamOnly
	case ErrorDetailsLabel:
		return s.err.Details, s.err.Details != "", !s.streamOnly
	}
	if s.streamOnly {
		v, decided := OfStream(s.stream, name)
		return v, decided, decided
	}
	v, ok := Lookup(s.stream, s.metadata, s.level, name)
	return v, ok, true
}

// unreadable notes that a value cannot be read; the entry stays. The first note stays too: it says most.
func (s *subject) unreadable(err error) verdict {
	if s.streamOnly {
		return depends // the note belongs to each entry
	}
	if s.row != nil {
		if s.row.Err.Class == "" {
			s.row.Err = errorOf(classLabelFilter, err)
		}
		return passes
	}
	if s.err.Class == "" {
		s.err, s.errChanged = errorOf(classLabelFilter, err), true
	}
	return passes
}

func verdictOf(ok bool) verdict {
	if ok {
		return passes
	}
	return fails
}

func newLabelTest(f syntax.LabelFilter, needs *Needs) (labelTest, error) {
	switch f := f.(type) {
	case *syntax.MatcherFilter:
		needs.AddName(f.Matcher.Name)
		return &matcherTest{f.Matcher}, nil
	case *syntax.NumberFilter:
		needs.AddName(f.Label)
		return &typedTest[float64]{f.Label, f.Op, f.Value, parseNumber}, nil
	case *syntax.DurationFilter:
		needs.AddName(f.Label)
		return &typedTest[time.Duration]{f.Label, f.Op, f.Value, time.ParseDuration}, nil
	case *syntax.BytesFilter:
		needs.AddName(f.Label)
		return &typedTest[uint64]{f.Label, f.Op, f.Value, humanize.ParseBytes}, nil
	case *syntax.IPFilter:
		needs.AddName(f.Label)
		r, err := syntax.ParseIPRange(f.Range)
		return &ipTest{f.Label, f.Negate, r}, err
	case *syntax.AndFilter:
		list, err := newLabelTests(f.Filters, needs)
		return andTest(list), err
	case *syntax.OrFilter:
		list, err := newLabelTests(f.Filters, needs)
		for i, t := range list {
			if and, ok := t.(andTest); ok {
				list[i] = andInOrTest(and)
			}
		}
		return orTest(list), err
	}
	return nil, fmt.Errorf("label filter %s is unknown to the pipeline", f)
}

func newLabelTests(filters []syntax.LabelFilter, needs *Needs) ([]labelTest, error) {
	list := make([]labelTest, len(filters))
	for i, f := range filters {
		var err error
		if list[i], err = newLabelTest(f, needs); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// matcherTest compares as a string; an absent label is "".
type matcherTest struct{ *labels.Matcher }

func (t *matcherTest) test(s *subject) verdict {
	v, _, known := s.get(t.Name)
	if !known {
		return depends
	}
	return verdictOf(t.Matches(v))
}

// typedTest compares as a number, a duration or a size. An absent label fails; one that cannot be read passes, with a note.
type typedTest[T cmp.Ordered] struct {
	name  string
	op    syntax.CompareOp
	value T
	parse func(string) (T, error)
}

func parseNumber(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

func (t *typedTest[T]) test(s *subject) verdict {
	text, present, known := s.get(t.name)
	if !known {
		return depends
	}
	if !present {
		return fails
	}
	v, err := t.parse(text)
	if err != nil {
		return s.unreadable(err)
	}
	return verdictOf(compares(t.op, v, t.value))
}

// compares applies the operators themselves, not cmp.Compare: NaN equals nothing.
func compares[T cmp.Ordered](op syntax.CompareOp, a, b T) bool {
	switch op {
	case syntax.CompareEqual:
		return a == b
	case syntax.CompareNotEqual:
		return a != b
	case syntax.CompareGreater:
		return a > b
	case syntax.CompareGreaterEqual:
		return a >= b
	case syntax.CompareLess:
		return a < b
	default: // syntax.CompareLessEqual
		return a <= b
	}
}

// ipTest looks for an address of a range in the label. An entry with an error passes: only string comparisons drop it.
type ipTest struct {
	name   string
	negate bool
	within syntax.IPRange
}

func (t *ipTest) test(s *subject) verdict {
	if s.streamOnly {
		return depends // an error of the entry goes first
	}
	if class, _, _ := s.get(ErrorLabel); class != "" {
		return passes
	}
	v, present, _ := s.get(t.name)
	return verdictOf(present && containsIP(v, t.within) != t.negate)
}

// andTest stops at the first that fails: the entry is dropped, whatever the others would note.
type andTest []labelTest

func (list andTest) test(s *subject) verdict {
	v := passes
	for _, t := range list {
		switch t.test(s) {
		case fails:
			return fails
		case depends:
			v = depends
		}
	}
	return v
}

// andInOrTest asks all: where another alternative lets the entry pass, what any of them notes is seen.
type andInOrTest []labelTest

func (list andInOrTest) test(s *subject) verdict {
	failed, known := false, true
	for _, t := range list {
		switch t.test(s) {
		case fails:
			failed = true
		case depends:
			known = false
		}
	}
	switch {
	case !known:
		return depends
	case failed:
		return fails
	}
	return passes
}

// orTest stops at the first that passes.
type orTest []labelTest

func (list orTest) test(s *subject) verdict {
	v := fails
	for _, t := range list {
		switch t.test(s) {
		case passes:
			if v == fails {
				return passes
			}
			return depends // one before it, once known, may pass and note an error
		case depends:
			v = depends
		}
	}
	return v
}
