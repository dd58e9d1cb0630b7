package logdb

import (
	"fmt"
	"io/fs"
	"path"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

func TestInspect(t *testing.T) {
	mem := vfs.NewMem()
	cfg := testConfig(t, mem)
	db := openDB(t, cfg)
	entries := map[string]uint64{}
	push := func(tenant model.TenantID, app, pod string, n int, day time.Duration) {
		s := model.Stream{Labels: labels.FromStrings("app", app, "pod", pod)}
		for i := range n {
			s.Entries = append(s.Entries, model.Entry{
				Timestamp: at(day + time.Duration(i)*time.Second), Line: fmt.Sprintf("line %d of %s", i, pod), Level: "info",
				Metadata: []model.Pair{{Name: "trace", Value: fmt.Sprint(i)}, {Name: "zone", Value: "eu"}},
			})
			entries[string(tenant)+pod]++
		}
		require.NoError(t, db.Append(t.Context(), pushOf(tenant, s)))
	}
	push("t1", "api", "api-1", 50, 0)
	push("t1", "api", "api-2", 10, 0)
	push("t1", "web", "web-1", 5, 24*time.Hour)
	push("t2", "api", "api-1", 3, 0)
	require.NoError(t, db.Flush(t.Context()))
	push("t1", "api", "api-1", 50, time.Minute)
	require.NoError(t, db.Flush(t.Context()))
	push("t2", "api", "head", 7, 0)

	all, err := Inspect(t.Context(), InspectConfig{FS: mem, Dir: testDir})
	require.NoError(t, err)
	require.Len(t, all.Blocks, 4)
	require.Equal(t, 4, all.Sum.Blocks)
	require.EqualValues(t, 118, all.Sum.Entries)
	require.Equal(t, 4, all.Sum.Streams)
	require.Equal(t, at(0).Time(), all.Sum.From)
	require.Equal(t, at(24*time.Hour+4*time.Second).Time(), all.Sum.To)
	var disk, stored int64
	var rawAll uint64
	for i, b := range all.Blocks {
		disk += b.Disk
		rawAll += b.Raw
		require.Equal(t, []model.TenantID{"t1", "t1", "t1", "t2"}[i], b.Tenant)
		require.Positive(t, b.WalTo)
		require.Positive(t, b.Index)
	}
	for _, p := range all.Parts {
		stored += p.Stored
	}
	require.Equal(t, all.Sum.Disk, disk)
	require.Equal(t, all.Sum.Raw, rawAll)
	require.EqualValues(t, 4*(16+100), disk-stored, "headers and footers are all that is in no part")
	require.Equal(t, []string{"time", "length", "metadata", "lines", "tables", "directory", "stream table", "index.db"}, names(all.Parts, "filters"))

	require.Len(t, all.Metadata, 2)
	require.Equal(t, "trace", all.Metadata[0].Name)
	require.Len(t, all.Streams, 4)
	for _, s := range all.Streams {
		key := string(s.Tenant) + s.Labels["pod"]
		require.Equal(t, entries[key], s.Entries, key)
	}
	require.Equal(t, "api-1", all.Streams[0].Labels["pod"])
	require.Equal(t, []LabelInfo{
		{Name: "pod", Streams: 4, Values: 3, Top: []ValueInfo{{"api-1", 2}, {"api-2", 1}, {"web-1", 1}}},
		{Name: "app", Streams: 4, Values: 2, Top: []ValueInfo{{"api", 3}, {"web", 1}}},
	}, all.Labels)
	require.NotEmpty(t, all.Log)
	require.Empty(t, all.Quarantine)

	f := func(blocks int, cfg InspectConfig) *Inspection {
		t.Helper()
		cfg.FS, cfg.Dir = mem, testDir
		got, err := Inspect(t.Context(), cfg)
		require.NoError(t, err)
		require.Len(t, got.Blocks, blocks)
		return got
	}
	f(1, InspectConfig{Tenant: "t2"})
	f(1, InspectConfig{Day: block.DayOf(at(24 * time.Hour))})
	f(1, InspectConfig{Block: all.Blocks[0].ULID})
	f(0, InspectConfig{Tenant: "t3"})
	require.Len(t, f(4, InspectConfig{Top: 1}).Streams, 1)

	heads := db.Heads()
	require.Len(t, heads, 1)
	require.Equal(t, model.TenantID("t2"), heads[0].Tenant)
	require.EqualValues(t, 7, heads[0].Entries)
	require.Equal(t, 1, heads[0].Streams)
	require.Positive(t, heads[0].Raw)
	require.Equal(t, at(6*time.Second).Time(), heads[0].To)
	require.EqualValues(t, 1, heads[0].Segment)
	require.False(t, heads[0].Flushing)
}

// names lists the parts but for one.
func names(parts []SizeInfo, but string) []string {
	var out []string
	for _, p := range parts {
		if p.Name != but {
			out = append(out, p.Name)
		}
	}
	return out
}

// Blocks that are damaged or go meanwhile are told of; the others are shown.
func TestInspectLeavesOutWhatCannotBeRead(t *testing.T) {
	d := newDamaged(t)
	d.flip(d.blocks[0]+"/chunks.bin", -20)
	d.flip(d.blocks[2]+"/index.db", 100) // not needed
	require.NoError(t, vfs.MkdirAllSynced(d.Mem, testDir+"/quarantine/t1-"+path.Base(d.blocks[0])))
	d.write(testDir+"/quarantine/t1-"+path.Base(d.blocks[0])+".reason", []byte("because\n"))
	got, err := Inspect(t.Context(), InspectConfig{FS: d.Mem, Dir: testDir})
	require.NoError(t, err)
	require.Len(t, got.Blocks, 2)
	require.Len(t, got.Problems, 1)
	require.Contains(t, got.Problems[0], path.Base(d.blocks[0]))
	require.Equal(t, []Quarantined{{Dir: "quarantine/t1-" + path.Base(d.blocks[0]), Tenant: "t1", Block: path.Base(d.blocks[0]), Reason: "because"}}, got.Quarantine)

	got, err = Inspect(t.Context(), InspectConfig{FS: &vanishing{Mem: d.Mem, dir: d.blocks[1]}, Dir: testDir})
	require.NoError(t, err)
	require.Len(t, got.Blocks, 1)
	require.Equal(t, 1, got.Vanished)
	_, err = Inspect(t.Context(), InspectConfig{FS: d.Mem, Dir: "/nothing"})
	require.ErrorIs(t, err, fs.ErrNotExist)
}
