package index

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/prometheus/model/labels"
)

// Resolve returns the streams that match all matchers, by Prometheus' rules: a label that is absent has the empty value.
// No matchers match every stream.
func Resolve(r Reader, matchers []*labels.Matcher) (*roaring.Bitmap, error) {
	// Cheap ones first: when an equality finds nothing, no regexp is tried on any value.
	ordered := slices.Clone(matchers)
	slices.SortStableFunc(ordered, func(a, b *labels.Matcher) int { return cmp.Compare(cost(a), cost(b)) })
	var with, without []*roaring.Bitmap
	for _, m := range ordered {
		set, negate, err := matched(r, m)
		if err != nil {
			return nil, fmt.Errorf("resolve %s: %w", m, err)
		}
		switch {
		case negate:
			without = append(without, set)
		case set.IsEmpty():
			return set, nil
		default:
			with = append(with, set)
		}
	}
	if len(with) == 0 {
		all, err := r.All()
		if err != nil {
			return nil, fmt.Errorf("resolve: %w", err)
		}
		with = append(with, all)
	}
	slices.SortFunc(with, func(a, b *roaring.Bitmap) int { return cmp.Compare(a.GetCardinality(), b.GetCardinality()) })
	refs := with[0]
	for _, set := range with[1:] {
		refs.And(set)
	}
	for _, set := range without {
		refs.AndNot(set)
	}
	return refs, nil
}

func cost(m *labels.Matcher) int {
	switch {
	case m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual:
		return 0
	case len(m.SetMatches()) > 0:
		return 1
	}
	return 2
}

// matched returns a set of streams that have the label; the matcher selects these or, with negate, all others.
func matched(r Reader, m *labels.Matcher) (set *roaring.Bitmap, negate bool, err error) {
	switch m.Type {
	case labels.MatchEqual, labels.MatchNotEqual:
		if m.Value == "" {
			set, err = r.Name(m.Name)
			return set, m.Type == labels.MatchEqual, err
		}
		set, err = r.Postings(m.Name, m.Value)
		return set, m.Type == labels.MatchNotEqual, err
	case labels.MatchRegexp, labels.MatchNotRegexp:
		set, complement, err := matchedRegexp(r, m)
		return set, complement != (m.Type == labels.MatchNotRegexp), err
	}
	return nil, false, fmt.Errorf("unknown matcher type %d", m.Type)
}

// matchedRegexp returns the streams whose value the regexp of m matches or, when it matches the empty value and so every
// stream without the label, the streams whose value it does not match (complement).
func matchedRegexp(r Reader, m *labels.Matcher) (set *roaring.Bitmap, complement bool, err error) {
	matches := m.Matches // of the regexp, not of the matcher
	if m.Type == labels.MatchNotRegexp {
		matches = func(v string) bool { return !m.Matches(v) }
	}
	complement = matches("")
	switch m.GetRegexString() {
	case ".*":
		return roaring.New(), complement, nil
	case ".+":
		set, err = r.Name(m.Name)
		return set, complement, err
	}
	others := false // set is the other streams that have the label
	if values := m.SetMatches(); len(values) > 0 {
		set, err = union(r, m.Name, values)
	} else {
		set, others, err = r.matching(m.Name, newValueRegexp(m))
	}
	if err != nil || others == complement {
		return set, complement, err
	}
	all, err := r.Name(m.Name)
	if err != nil {
		return nil, false, err
	}
	all.AndNot(set)
	return all, complement, nil
}

func union(r Reader, name string, values []string) (*roaring.Bitmap, error) {
	set := roaring.New()
	for _, v := range values {
		if v == "" {
			continue
		}
		p, err := r.Postings(name, v)
		if err != nil {
			return nil, err
		}
		set.Or(p)
	}
	return set, nil
}

// LabelNames returns the sorted names that some stream in refs has; nil refs mean every stream.
func LabelNames(r Reader, refs *roaring.Bitmap) ([]string, error) {
	names, err := r.Names()
	if err != nil || refs == nil {
		return names, err
	}
	var kept []string
	for _, name := range names {
		has, err := r.Name(name)
		if err != nil {
			return nil, err
		}
		if has.Intersects(refs) {
			kept = append(kept, name)
		}
	}
	return kept, nil
}

// LabelValues returns the sorted values that the label has in refs; nil refs mean every stream.
func LabelValues(r Reader, name string, refs *roaring.Bitmap) ([]string, error) {
	if refs != nil && refs.IsEmpty() {
		return nil, nil
	}
	var in refFilter
	if refs != nil {
		in = newRefFilter(refs)
	}
	var joined []byte // one text for all: a name may have 100,000 values
	var ends []int
	err := r.Values(name, "", func(value string, p Postings) error {
		if refs != nil {
			if has, err := p.intersects(in); err != nil || !has {
				return err
			}
		}
		joined = append(joined, value...)
		ends = append(ends, len(joined))
		return nil
	})
	if err != nil || len(ends) == 0 {
		return nil, err
	}
	values, text, start := make([]string, len(ends)), view(joined), 0
	for i, end := range ends {
		values[i] = text[start:end]
		start = end
	}
	slices.Sort(values)
	return values, nil
}

// clusterNames come first in the order of small streams: what their lines look like depends on these most.
var clusterNames = [...]string{"app", "job", "namespace", "container"}

// Cluster is a key to sort small streams by, so that those that look alike lie next to each other in packed chunks: streams
// with equal label names have equal upper halves, and of them those with equal app, job, namespace and container have equal
// keys. It is computed once for a stream: tens of thousands are sorted while a head is locked.
func Cluster(ls labels.Labels) uint64 {
	var b [512]byte
	text := b[:0]
	ls.Range(func(l labels.Label) { text = append(append(text, l.Name...), 0) })
	names := xxhash.Sum64(text)
	text = text[:0]
	for _, name := range clusterNames {
		text = append(append(text, ls.Get(name)...), 0)
	}
	return names>>32<<32 | xxhash.Sum64(text)>>32
}
