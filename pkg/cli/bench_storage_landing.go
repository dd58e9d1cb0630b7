package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

const countNote = "There is no path for counts yet: entries are read one by one."

// countFast counts by level.
func (s *loadedStore) countFast(ctx context.Context, edges []model.Timestamp, want int64) error {
	got, err := s.countByLevel(ctx, edges, 0)
	if err == nil && got != want {
		err = fmt.Errorf("%d entries are counted of %d", got, want)
	}
	return err
}

// countAll counts everything.
func (s *loadedStore) countAll(ctx context.Context) (int, error) {
	n, err := s.countByLevel(ctx, edgesOfAll(), 0)
	return int(n), err
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
