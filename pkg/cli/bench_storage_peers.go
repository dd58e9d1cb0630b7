package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// stepPeers measures what a comparison with other log stores asks, where storage alone decides it: the database's own
// methods on the whole corpus, without HTTP and LogQL.
func (b *storageBench) stepPeers(ctx context.Context) error {
	s, err := b.load(ctx)
	if err != nil {
		return err
	}
	if err := b.withCache(ctx, s); err != nil {
		return err
	}
	files, stored, err := filesBelow(filepath.Join(s.dir, "blocks"))
	if err != nil {
		return err
	}
	add := func(rows ...storageRow) { b.report.Store = append(b.report.Store, rows...) }
	add(
		measured("push with 4 clients, wall", perSecond(b.corpus.lineBytes, s.pushed.wall), "MB/s").
			says("Whole corpus, full chunks sealed meanwhile; the clients are goroutines of this process."),
		measured("push with 4 clients and flush, CPU", ratioOf(s.pushed.process.Seconds(), float64(b.corpus.lineBytes)/1e9), "s/GB").
			says("Until the last push is answered; the flush takes another %s ms on the wall.", digits(milliseconds(s.flushTook))),
		measured("disk, raw : stored", ratioOf(b.corpus.lineBytes, stored), ": 1").
			says("%s MB of lines became %s MB of blocks; %d of %d chunks were compressed in a hurry, since pushes were ahead.",
				digits(float64(b.corpus.lineBytes)/1e6), digits(float64(stored)/1e6), s.fast, s.chunks),
		measured("bytes written to reach it", float64(s.fs.written.Load())/1e6, "MB").
			says("Log (with the zeroing of its new segments), blocks and marks; without the scratch files of index.db."),
		measured("files of blocks", float64(files), "files"),
	)
	for _, q := range s.peerQueries() {
		n := 0
		ask := func() (err error) {
			n, err = q.ask(ctx)
			return err
		}
		if err := ask(); err != nil { // to warm up
			return fmt.Errorf("%s: %w", q.what, err)
		}
		took, err := b.repeated(ctx, ask)
		if err != nil {
			return fmt.Errorf("%s: %w", q.what, err)
		}
		if q.want >= 0 && n != q.want {
			return fmt.Errorf("%s: %d results, want %d", q.what, n, q.want)
		}
		add(measured(q.what, milliseconds(took.wall), "ms").says("%d results, %s ms of CPU.", n, digits(milliseconds(took.process))))
	}
	return nil
}

// peerQuery is one question. want is the right number of results; -1 when not known.
type peerQuery struct {
	what string
	want int
	ask  func(context.Context) (int, error)
}

func (s *loadedStore) peerQueries() []peerQuery {
	sel := func(r storage.SelectRequest) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			found, err := s.ask(ctx, r)
			return found.entries, err
		}
	}
	lines := func(text string) func(context.Context) (int, error) {
		r := containing(text)
		r.Columns |= storage.ColumnMetadata
		r.Order, r.Limit = storage.Backward, 1000
		return sel(r)
	}
	newest := storage.SelectRequest{
		Matchers: everyStream(), Interval: everInterval, Order: storage.Backward, Limit: 100,
		Columns: storage.ColumnLine | storage.ColumnMetadata | storage.ColumnLevel,
	}
	scope := storage.Scope{Interval: everInterval}
	entries := int64(s.entries())
	return []peerQuery{
		{"rare word", needleLines, lines(needleWord)},
		{"part of that word", needleLines, lines(needleWord[2:9])},
		{"absent word", 0, lines("xylophonist")},
		{"absent substring", 0, lines("qzjxvkw")},
		{"common substring, newest 1000", unknown, lines("timeout")},
		{"histogram: by level, 1m", unknown, func(ctx context.Context) (int, error) {
			return int(entries), s.countFast(ctx, s.minuteEdges(0), entries)
		}},
		{"count of everything", unknown, func(ctx context.Context) (int, error) {
			return int(entries), s.countFast(ctx, edgesOfAll(), entries)
		}},
		{"newest 100 of everything", 100, sel(newest)},
		{"structured metadata equality", traceLines, s.traceAsk},
		{"label values", unknown, func(ctx context.Context) (int, error) {
			values, err := s.LabelValues(ctx, tenantAll, "app", scope)
			return len(values), err
		}},
		{"series listing", unknown, func(ctx context.Context) (int, error) {
			series, err := s.Series(ctx, tenantAll, scope)
			return len(series), err
		}},
	}
}

func (s *loadedStore) entries() (n uint64) {
	for _, open := range s.blocks {
		n += open.Meta().Entries
	}
	return n
}

// edgesOfAll are those of one bucket with the whole corpus in it.
func edgesOfAll() []model.Timestamp {
	end := model.TimestampOf(storageNow)
	return []model.Timestamp{end.Add(-storageSpan - time.Hour), end.Add(time.Hour)}
}

// traceAsk finds the entries with the hidden trace id in their metadata.
func (s *loadedStore) traceAsk(ctx context.Context) (n int, err error) {
	it, err := s.Select(ctx, tenantAll, storage.SelectRequest{
		Matchers: everyStream(), Interval: everInterval, Columns: storage.ColumnMetadata | storage.ColumnLine,
		MetadataEqual: []model.Pair{{Name: "trace_id", Value: needleTrace}},
	})
	if err != nil {
		return 0, err
	}
	defer func() { _ = it.Close() }() // it has been read; what it holds is memory
	for {
		batch, err := it.Next(ctx)
		if err != nil || batch == nil {
			return n, err
		}
		for _, pairs := range batch.Metadata { // the store may leave others in
			if slices.Contains(pairs, model.Pair{Name: "trace_id", Value: needleTrace}) {
				n++
			}
		}
	}
}
