package head

import (
	"fmt"
	"strings"
	"testing"

	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

func BenchmarkEntryHash(b *testing.B) {
	e := entry(1, strings.Repeat("duration=12ms ", 12), model.Pair{Name: "trace_id", Value: "4bf92f3577b34da6a3ce929d0e0e4736"}, model.Pair{Name: "pod", Value: "api-1"})
	b.ReportAllocs()
	for b.Loop() {
		entryHash(&e)
	}
}

// BenchmarkApply adds lines in order to 20 streams; every full run is sealed outside of the measured time.
func BenchmarkApply(b *testing.B) {
	const streams, entries, pool = 20, 50, 1009
	lines := make([]string, pool)
	for i := range lines {
		lines[i] = fmt.Sprintf("level=info caller=store.go:%d msg=\"cache lookup\" key=product/%d trace=%032x duration=%dms", i, i*7, i*i*i, i%400)
	}
	batch := make([]model.Stream, streams)
	bytes := int64(0)
	for s := range batch {
		batch[s] = push(fmt.Sprint("app-", s))
		for i := range entries {
			e := entry(0, lines[(s*entries+i)%pool])
			batch[s].Entries = append(batch[s].Entries, e)
			bytes += chunk.EntryBytes(e)
		}
	}
	h := New(new(Account))
	b.SetBytes(bytes)
	b.ReportAllocs()
	now := model.Timestamp(0)
	for b.Loop() {
		for s := range batch {
			for i := range batch[s].Entries {
				batch[s].Entries[i].Timestamp = now + model.Timestamp(i)
			}
		}
		now += entries
		closed := h.Apply(batch, now).Closed
		if len(closed) == 0 {
			continue
		}
		b.StopTimer()
		for _, p := range closed {
			if err := p.Seal(chunk.Options{Level: chunk.Fastest}); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
}
