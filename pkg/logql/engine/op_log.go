package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/dustin/go-humanize"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/plan"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// logCollector copies entries out of batches.
type logCollector struct {
	q        *query
	entries  []Entry
	hashes   []uint64             // of entries, for their IDs
	streams  map[string]logStream // by the bytes of the label set, so that each is copied once
	interned map[string]string    // levels and names of metadata
	key      []byte
}

type logStream struct {
	labels      labels.Labels
	fingerprint model.Fingerprint
}

// runLog answers a log query. The store orders; it also limits, when it applies all filters. Else batches are pulled until
// there are enough.
func (q *query) runLog(ctx context.Context, n *plan.Log) (*Result, error) {
	c := &logCollector{q: q, streams: map[string]logStream{}, interned: map[string]string{}}
	n.Stages.Reserve(q.budget.take)
	r := request{
		scan:     n.Scan,
		interval: q.logInterval(),
		order:    q.Direction,
		limit:    q.Limit,
		limited:  n.Limited,
		stages:   n.Stages,
	}
	err := q.scan(ctx, r, c.add)
	switch {
	case errors.As(err, new(memoryError)):
		q.warn(fmt.Sprintf("the answer ends after %d lines, for it would take more than %s of memory; lower the line limit, or "+
			"ask for a shorter time range", len(c.entries), humanize.IBytes(uint64(c.q.budget.max))))
	case errors.Is(err, context.DeadlineExceeded) && len(c.entries) > 0:
		// They are the first in the order of the query, and none between them is missing.
		q.warn(fmt.Sprintf("the answer ends after %d lines, for the query took longer than query_timeout; ask for a shorter time "+
			"range, or add label matchers", len(c.entries)))
	case err != nil:
		return nil, err
	}
	c.number()
	q.stats.EntriesReturned = uint64(len(c.entries))
	return &Result{Type: ResultStreams, Entries: c.entries, SearchWords: n.SearchWords}, nil
}

// instantLookback is how far back an instant log query looks from its time, unless it says from where on: as far as a log
// query that says nothing of its start.
const instantLookback = time.Hour

// logInterval is what a log query reads: [Start, End), and for an instant query everything after Start up to and with End.
func (q *query) logInterval() model.Interval {
	if !q.Instant {
		return model.Interval{Start: q.Start, End: q.End}
	}
	start := q.Start
	if start >= q.End {
		start = q.End.Add(-instantLookback)
	}
	return model.Interval{Start: start.Add(1), End: q.End.Add(1)}
}

// add copies the entries of a batch. The error is a memoryError when the memory is used up.
func (c *logCollector) add(s *scanned) (more bool, err error) {
	for i := s.Selected.Next(0); i >= 0; i = s.Selected.Next(i + 1) {
		stream, cost := c.stream(s.Streams[s.StreamIndex[i]])
		if err := c.q.budget.take(cost + entryCost(s, i)); err != nil {
			return false, err
		}
		c.addEntry(s, i, stream)
	}
	return true, nil
}

// pairBytes is what the two headers of a pair take.
const pairBytes = 32

// entryCost is about what an entry takes in memory.
func entryCost(s *scanned, i int) int64 {
	const fixed = 256 // the Entry itself, its ID, headers of its strings
	n := fixed + len(s.Line(i)) + len(s.Errors[i].Details)
	if !s.HasRows() {
		for _, p := range s.Metadata[i] {
			n += pairBytes + len(p.Name) + len(p.Value)
		}
		return int64(n)
	}
	own, _ := s.Labels(i)
	for _, l := range own {
		n += pairBytes + len(l.Name) + len(l.Value)
	}
	return int64(n)
}

func (c *logCollector) addEntry(s *scanned, i int, stream logStream) {
	e := Entry{
		Timestamp: s.Timestamps[i],
		Line:      strings.Clone(s.Line(i)),
		Labels:    stream.labels,
		Level:     c.intern(s.Levels[i]),
	}
	if s.HasRows() {
		c.addLabels(&e, s, i)
	} else if n := len(s.Metadata[i]); n > 0 || e.Level != "" {
		e.Metadata = pipeline.AppendMetadata(make([]model.Pair, 0, n+1), stream.labels, s.Metadata[i], e.Level)
		for k, p := range e.Metadata {
			e.Metadata[k] = model.Pair{Name: c.intern(p.Name), Value: strings.Clone(p.Value)}
		}
	}
	if err, ok := s.Errors[i]; ok {
		e.Parsed = append(e.Parsed, model.Pair{Name: pipeline.ErrorLabel, Value: err.Class})
		if err.Details != "" {
			e.Parsed = append(e.Parsed, model.Pair{Name: pipeline.ErrorDetailsLabel, Value: strings.Clone(err.Details)})
		}
	}
	c.entries = append(c.entries, e)
	c.hashes = append(c.hashes, entryHash(stream.fingerprint, e.Timestamp, s.Lines[i], e.Level, s.Metadata[i]))
}

// addLabels sorts what the pipeline left of an entry's labels into those of the stream, metadata and parsed ones.
func (c *logCollector) addLabels(e *Entry, s *scanned, i int) {
	own, removed := s.Labels(i)
	hidden := slices.Clone(removed)
	for _, l := range own {
		p := model.Pair{Name: c.intern(l.Name), Value: strings.Clone(l.Value)}
		if !l.Parsed {
			e.Metadata = append(e.Metadata, p)
			continue
		}
		e.Parsed = append(e.Parsed, p)
		if e.Labels.Get(l.Name) != "" {
			hidden = append(hidden, l.Name)
		}
	}
	byName := func(a, b model.Pair) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(e.Metadata, byName)
	slices.SortFunc(e.Parsed, byName)
	if len(hidden) > 0 {
		left, _ := c.stream(labels.NewBuilder(e.Labels).Del(hidden...).Labels())
		e.Labels = left.labels
	}
}

// internedMax bounds the texts that intern remembers.
const internedMax = 256

// intern returns the query's own copy of a text that is likely to come again.
func (c *logCollector) intern(text string) string {
	own, ok := c.interned[text]
	if !ok {
		own = strings.Clone(text)
		if len(c.interned) < internedMax {
			c.interned[own] = own
		}
	}
	return own
}

// stream returns the query's own copy of a label set, and what a new one takes in memory.
func (c *logCollector) stream(ls labels.Labels) (st logStream, cost int64) {
	c.key = ls.Bytes(c.key[:0])
	st, ok := c.streams[string(c.key)]
	if ok {
		return st, 0
	}
	st = logStream{labels: ls.Copy(), fingerprint: model.FingerprintOf(ls)}
	c.streams[string(c.key)] = st
	return st, int64(64 + 2*len(c.key))
}

// entryHash hashes what makes an entry: stream, time, line, metadata as stored, and level. Texts are preceded by their
// lengths, so that no two entries run into the same bytes.
func entryHash(fp model.Fingerprint, at model.Timestamp, line, level string, metadata []model.Pair) uint64 {
	var d xxhash.Digest
	d.Reset()
	var number [8]byte
	put := func(v uint64) {
		for k := range number {
			number[k] = byte(v >> (8 * k))
		}
		_, _ = d.Write(number[:])
	}
	text := func(s string) {
		put(uint64(len(s)))
		_, _ = d.WriteString(s)
	}
	put(uint64(fp))
	put(uint64(at))
	text(line)
	text(level)
	for _, p := range metadata {
		text(p.Name)
		text(p.Value)
	}
	return d.Sum64()
}

// number gives every entry its ID. Identical entries are told apart by an ordinal in forward order: they share all that
// can be told of them, so which of them an ordinal means does not matter, as long as each has another. They have the same
// time and so stand near each other.
func (c *logCollector) number() {
	seen := map[uint64]int{}
	for k := range c.entries {
		i := k
		if c.q.Direction == storage.Backward {
			i = len(c.entries) - 1 - k
		}
		if k > 0 && c.entries[i].Timestamp != c.entries[c.neighbour(i)].Timestamp {
			clear(seen)
		}
		h := c.hashes[i]
		c.entries[i].ID = entryID(h, seen[h])
		seen[h]++
	}
}

// neighbour returns the entry before i in forward order.
func (c *logCollector) neighbour(i int) int {
	if c.q.Direction == storage.Backward {
		return i + 1
	}
	return i - 1
}

// entryID writes 16 hexadecimal digits, an underscore and the ordinal.
func entryID(hash uint64, ordinal int) string {
	const digits = "0123456789abcdef"
	id := make([]byte, 16, 24)
	for k := range id {
		id[k] = digits[hash>>(60-4*k)&15]
	}
	return string(strconv.AppendInt(append(id, '_'), int64(ordinal), 10))
}
