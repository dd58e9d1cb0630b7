package index

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// ctx returns the test's context; rapid's T has one too.
func ctx(t require.TestingT) context.Context {
	return t.(interface{ Context() context.Context }).Context()
}

// TestMemSnapshotWhileAdding: a snapshot answers every question for exactly its streams, whatever is added meanwhile. A
// reader that mixed states would count a stream under one label and miss it under another.
func TestMemSnapshotWhileAdding(t *testing.T) {
	const n = 4000
	m := NewMem()
	stream := func(i int) labels.Labels {
		return labels.FromStrings("all", "x", "parity", fmt.Sprint(i%2), "pod", fmt.Sprint("pod-", i), "rare", fmt.Sprint(i/100))
	}
	odd := labels.MustNewMatcher(labels.MatchEqual, "parity", "1")
	notOdd := labels.MustNewMatcher(labels.MatchNotEqual, "parity", "1")
	pods := labels.MustNewMatcher(labels.MatchRegexp, "pod", "pod-.*7")
	notPods := labels.MustNewMatcher(labels.MatchNotRegexp, "pod", "pod-.*7")
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				before := m.Len()
				s := m.Snapshot()
				all, _ := s.All()
				seen := int(all.GetCardinality())
				if seen < before {
					t.Errorf("snapshot sees %d streams, %d were there", seen, before)
					return
				}
				for _, pair := range [][2]*labels.Matcher{{odd, notOdd}, {pods, notPods}} {
					a, _ := Resolve(s, pair[:1])
					b, _ := Resolve(s, pair[1:])
					if a.Intersects(b) || int(a.GetCardinality()+b.GetCardinality()) != seen {
						t.Errorf("%v and its negation split %d streams into %d and %d", pair[0], seen, a.GetCardinality(), b.GetCardinality())
						return
					}
				}
				values, _ := LabelValues(s, "pod", nil)
				if len(values) != seen {
					t.Errorf("%d values for %d streams", len(values), seen)
					return
				}
				if seen == n {
					return
				}
			}
		})
	}
	for i := range n {
		m.Add(model.StreamRef(2*i+5), stream(i)) // refs may have gaps
	}
	wg.Wait()
	require.Equal(t, n, m.Len())
}

func TestMemEmpty(t *testing.T) {
	m := NewMem()
	s := m.Snapshot()
	m.Add(0, labels.FromStrings("a", "b"))
	for _, ms := range [][]*labels.Matcher{nil, {matcher(t, labels.MatchEqual, "a", "b")}, {matcher(t, labels.MatchRegexp, "a", ".*")}} {
		set, err := Resolve(s, ms)
		require.NoError(t, err)
		require.True(t, set.IsEmpty(), "the snapshot is older than the stream")
	}
	names, err := s.Names()
	require.NoError(t, err)
	require.Empty(t, names)
	values, err := LabelValues(s, "a", nil)
	require.NoError(t, err)
	require.Empty(t, values)
}

// TestMemMemory: the account covers at least texts and refs, and grows with them.
func TestMemMemory(t *testing.T) {
	m := NewMem()
	var texts int64
	for i := range 1000 {
		value := fmt.Sprintf("value-%06d", i)
		texts += int64(len(value)) + 4*3
		m.Add(model.StreamRef(i), labels.FromStrings("name", value))
	}
	require.GreaterOrEqual(t, m.MemoryBytes(), texts)
	require.Less(t, m.MemoryBytes(), 20*texts)
}
