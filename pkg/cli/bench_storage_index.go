package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/index"
)

// How many streams the rows about matchers have: fewer in a corpus below the default size.
const (
	matcherStreams    = 100_000
	matcherStreamsMin = 10_000
)

// indexSource has ten labels a stream, pod and instance unique, as a large cluster has.
func indexSource(streams int) index.Source {
	s := index.Source{ChunksCount: uint32(streams)}
	for i := range streams {
		s.Streams = append(s.Streams, labels.FromStrings(
			"app", fmt.Sprintf("app-%d", i%100), "namespace", fmt.Sprintf("ns-%d", i%30), "cluster", "eu-west-1",
			"container", fmt.Sprintf("container-%d", i%200), "job", fmt.Sprintf("ns-%d/app-%d", i%30, i%100),
			"stream", [...]string{"stdout", "stderr"}[i&1], "node", fmt.Sprintf("node-%d", i%500), "service_name", fmt.Sprintf("app-%d", i%100),
			"pod", podOf(i), "instance", fmt.Sprintf("10.%d.%d.%d:8080", i>>16, i>>8&255, i&255),
		))
		s.Chunks = append(s.Chunks, []uint32{uint32(i)})
	}
	return s
}

func podOf(i int) string { return fmt.Sprintf("app-%d-%08x-%05d", i%100, uint32(i)*2654435761, i) }

// stepMatchers measures finding streams in an index.db of its own.
func (b *storageBench) stepMatchers(ctx context.Context) error {
	streams := int(min(matcherStreams, max(matcherStreams*b.bytes/storageBytesDefault, matcherStreamsMin)))
	disk, bytes, err := b.buildIndex(ctx, streams)
	if err != nil {
		return err
	}
	type question struct {
		what    string
		kind    labels.MatchType
		name    string
		value   string
		streams uint64
		limit   *goal
	}
	over := "matcher over " + humanize.Comma(int64(streams)) + " streams, "
	var rows []storageRow
	for _, q := range []question{
		{"equality, one of them", labels.MatchEqual, "pod", podOf(4711), 1, atMost(10, "µs")},
		{"equality, one in 100", labels.MatchEqual, "app", "app-7", uint64(streams / 100), atMost(10, "µs")},
		{"regex over as many values", labels.MatchRegexp, "pod", "app-.*-7f.*", 0, atMost(2000, "µs")},
		{"regex of 100 values", labels.MatchRegexp, "app", "app-[0-4].*", 0, atMost(2000, "µs")},
	} {
		ms := matcher(q.kind, q.name, q.value)
		found, took, err := b.timeResolve(ctx, disk, ms)
		if err != nil {
			return err
		}
		if q.streams > 0 && found != q.streams || found == 0 {
			return fmt.Errorf("%s finds %d streams", q.what, found)
		}
		rows = append(rows, measured(over+q.what, each(took.process, resolvesAtOnce)/1e3, "µs").wants(q.limit).
			says("%s, %d streams.", ms[0], found))
	}
	b.add(rows...)
	b.add(measured("index.db of "+humanize.Comma(int64(streams))+" streams", float64(bytes)/float64(streams), "B/stream").wants(atMost(200, "B/stream")))
	return disk.Close()
}

// resolvesAtOnce is how many resolutions are timed together: one is too short for the clocks.
const resolvesAtOnce = 50

func (b *storageBench) timeResolve(ctx context.Context, r index.Reader, ms []*labels.Matcher) (found uint64, took spent, err error) {
	took, err = b.repeated(ctx, func() error {
		for range resolvesAtOnce {
			refs, err := index.Resolve(r, ms)
			if err != nil {
				return err
			}
			found = refs.GetCardinality()
		}
		return nil
	})
	return found, took, err
}

func (b *storageBench) buildIndex(ctx context.Context, streams int) (*index.Disk, int64, error) {
	dir, err := b.tempDir("index")
	if err != nil {
		return nil, 0, err
	}
	name := filepath.Join(dir, "index.db")
	f, err := os.Create(name)
	if err != nil {
		return nil, 0, fmt.Errorf("make an index: %w", err)
	}
	err = index.Build(ctx, dir, indexSource(streams), f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, 0, err
	}
	body, err := os.ReadFile(name)
	if err != nil {
		return nil, 0, fmt.Errorf("read the index: %w", err)
	}
	opened, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("open the index: %w", err)
	}
	disk, err := index.Open(opened, int64(len(body)), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return disk, int64(len(body)), err
}
