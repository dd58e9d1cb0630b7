package logdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

const (
	// inspectTopDefault is how many streams, values and metadata keys are listed.
	inspectTopDefault = 10
	// inspectStreamsMax bounds the streams that are told apart; more are counted only. About 1 KiB of memory each.
	inspectStreamsMax = 1_000_000
)

// InspectConfig says what to inspect. Without a filter it is the whole directory.
type InspectConfig struct {
	FS       vfs.FS
	Dir      string
	Tenant   model.TenantID
	Day      string // as in block.Meta
	Block    string // ULID
	Top      int    // 0 = 10
	Progress func(done, total int64)
}

// Inspection is what lies in a data directory: blocks, and what they are made of; the log; the quarantine. It does not
// know heads: these are in the memory of the store.
type Inspection struct {
	Dir        string        `json:"dir"`
	Blocks     []BlockInfo   `json:"blocks"` // by tenant, day and age
	Sum        BlockSum      `json:"sum"`
	Parts      []SizeInfo    `json:"parts"`    // what the files consist of: columns of chunks, then the rest
	Metadata   []SizeInfo    `json:"metadata"` // keys, those that take most first
	Streams    []StreamSize  `json:"streams"`  // those with most bytes first
	Labels     []LabelInfo   `json:"labels"`   // those with most values first
	Log        []LogFile     `json:"log"`
	Quarantine []Quarantined `json:"quarantine"`
	Problems   []string      `json:"problems,omitempty"` // blocks that could not be read, in words
	Vanished   int           `json:"vanished"`           // blocks that a running store removed meanwhile
	Uncounted  int           `json:"streams_uncounted"`  // in too many streams to be told apart
}

// BlockInfo is one block.
type BlockInfo struct {
	Tenant  model.TenantID `json:"tenant"`
	ULID    string         `json:"ulid"`
	Day     string         `json:"day"`
	Level   int            `json:"level"`
	Raw     uint64         `json:"raw_bytes"`
	Disk    int64          `json:"disk_bytes"`
	Index   int64          `json:"index_bytes"` // of disk_bytes
	Entries uint64         `json:"entries"`
	Chunks  uint64         `json:"chunks"`
	Streams uint64         `json:"streams"`
	From    time.Time      `json:"from"`
	To      time.Time      `json:"to"`
	Written time.Time      `json:"written"`
	WalTo   uint64         `json:"wal_to"`
}

// BlockSum adds blocks up.
type BlockSum struct {
	Blocks  int       `json:"blocks"`
	Raw     uint64    `json:"raw_bytes"`
	Disk    int64     `json:"disk_bytes"`
	Entries uint64    `json:"entries"`
	Chunks  uint64    `json:"chunks"`
	Streams int       `json:"streams"` // distinct, per tenant
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
}

// SizeInfo is what one part of the blocks takes.
type SizeInfo struct {
	Name   string `json:"name"`
	Stored int64  `json:"stored_bytes"`
	Raw    int64  `json:"raw_bytes"`        // before zstd; 0 when it is not compressed as a whole
	Chunks uint64 `json:"chunks,omitempty"` // that have it
}

// StreamSize is one stream over all blocks.
type StreamSize struct {
	Tenant  model.TenantID    `json:"tenant"`
	Labels  map[string]string `json:"labels"`
	Entries uint64            `json:"entries"`
	Raw     uint64            `json:"raw_bytes"`
}

// LabelInfo is one label name over all streams.
type LabelInfo struct {
	Name    string      `json:"name"`
	Streams int         `json:"streams"` // that have it
	Values  int         `json:"values"`
	Top     []ValueInfo `json:"top"` // those in most streams first
}

// ValueInfo is one value of a label.
type ValueInfo struct {
	Value   string `json:"value"`
	Streams int    `json:"streams"`
}

// Inspect looks into the blocks of a data directory. It changes nothing, takes no lock and may run beside a store. Blocks
// that are gone or damaged are told of and left out.
func Inspect(ctx context.Context, cfg InspectConfig) (*Inspection, error) {
	if cfg.Top <= 0 {
		cfg.Top = inspectTopDefault
	}
	if cfg.Progress == nil {
		cfg.Progress = func(int64, int64) {}
	}
	i := &inspector{
		InspectConfig: cfg, out: &Inspection{Dir: cfg.Dir, Blocks: []BlockInfo{}},
		sizes: map[string]*SizeInfo{}, metadata: map[string]*SizeInfo{}, streams: map[streamKey]*streamSum{},
	}
	if err := i.run(ctx); err != nil {
		return nil, fmt.Errorf("inspect %s: %w", cfg.Dir, err)
	}
	return i.out, nil
}

type streamKey struct {
	tenant      model.TenantID
	fingerprint model.Fingerprint
}

type streamSum struct {
	labels       labels.Labels
	entries, raw uint64
}

type inspector struct {
	InspectConfig
	out      *Inspection
	sizes    map[string]*SizeInfo
	metadata map[string]*SizeInfo
	streams  map[streamKey]*streamSum
}

func (i *inspector) run(ctx context.Context) (err error) {
	if _, err := i.FS.Stat(i.Dir); err != nil {
		return err
	}
	if i.out.Log, err = listLog(i.FS, i.Dir); err != nil {
		return err
	}
	if i.out.Quarantine, err = listQuarantine(i.FS, i.Dir); err != nil {
		return err
	}
	dirs, err := listBlocks(i.FS, i.Dir)
	if err != nil {
		return err
	}
	total := int64(len(dirs.blocks))
	for n, d := range dirs.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		i.Progress(int64(n), total)
		if i.Tenant != "" && d.tenant != i.Tenant || i.Block != "" && d.name != i.Block {
			continue
		}
		if err := i.look(d); err != nil {
			return err
		}
	}
	i.Progress(total, total)
	i.finish()
	return nil
}

// look adds one block.
func (i *inspector) look(d blockDir) error {
	err := i.block(d)
	if err == nil {
		return nil
	}
	if _, statErr := i.FS.Stat(d.path); errors.Is(statErr, fs.ErrNotExist) {
		i.out.Vanished++
		return nil
	}
	if isCorrupt(err) {
		i.out.Problems = append(i.out.Problems, err.Error())
		return nil
	}
	return err
}

// block reads the directories and tables of a block; nothing is added before all of it was read.
func (i *inspector) block(d blockDir) (err error) {
	b, err := block.Open(i.FS, d.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	m := b.Meta()
	if i.Day != "" && m.Day != i.Day {
		return nil
	}
	streams, err := b.Streams(nil)
	if err != nil {
		return err
	}
	sums, columns, err := readTables(b, len(streams))
	if err != nil {
		return err
	}
	i.addBlock(b)
	for _, c := range columns {
		i.addColumn(c)
	}
	for ref := range streams {
		i.addStream(m.Tenant, &streams[ref], sums[ref])
	}
	return nil
}

// readTables sums the runs of each stream and the columns of a block.
func readTables(b *block.Block, streams int) ([]streamSum, []columnOf, error) {
	chunks, err := b.Chunks(nil, model.Interval{Start: model.MinTimestamp, End: model.MaxTimestamp})
	if err != nil {
		return nil, nil, err
	}
	sums := make([]streamSum, streams)
	columns := map[[2]string]*columnOf{}
	for _, ref := range chunks {
		r, err := b.Chunk(ref)
		if err != nil {
			return nil, nil, err
		}
		t := r.Table()
		for k := range t.Runs {
			run := &t.Runs[k]
			sums[run.Ref].entries += uint64(run.Count)
			sums[run.Ref].raw += run.RawBytes
		}
		for _, c := range t.ColumnSizes() {
			key := [2]string{c.Kind, c.Name}
			sum := columns[key]
			if sum == nil {
				sum = &columnOf{kind: c.Kind, name: c.Name}
				columns[key] = sum
			}
			sum.stored += c.Stored
			sum.raw += c.Raw
			sum.chunks++
		}
	}
	out := make([]columnOf, 0, len(columns))
	for _, c := range columns {
		out = append(out, *c)
	}
	return sums, out, nil
}

type columnOf struct {
	kind, name  string
	stored, raw int64
	chunks      uint64
}

func (i *inspector) addBlock(b *block.Block) {
	m := b.Meta()
	info := BlockInfo{
		Tenant: m.Tenant, ULID: m.ULID.String(), Day: m.Day, Level: m.Level, Raw: m.RawBytes, Disk: m.Bytes(), Entries: m.Entries,
		Chunks: m.Chunks, Streams: m.Streams, From: m.MinTime.Time(), To: m.MaxTime.Time(), Written: m.ULID.Timestamp().UTC(), WalTo: m.WalTo,
	}
	for _, f := range m.Files {
		if f.Name == "index.db" {
			info.Index = f.Bytes
		}
	}
	i.out.Blocks = append(i.out.Blocks, info)
	s := &i.out.Sum
	if s.Blocks == 0 || info.From.Before(s.From) {
		s.From = info.From
	}
	if info.To.After(s.To) {
		s.To = info.To
	}
	s.Blocks++
	s.Raw += m.RawBytes
	s.Disk += info.Disk
	s.Entries += m.Entries
	s.Chunks += m.Chunks
	r := b.RegionSizes()
	for name, bytes := range map[string]int64{
		"filters": r.Filters, "tables": r.Tables, "directory": r.Directory, "stream table": r.Streams, "index.db": info.Index,
	} {
		sizeOf(i.sizes, name).Stored += bytes
	}
}

func sizeOf(sizes map[string]*SizeInfo, name string) *SizeInfo {
	s := sizes[name]
	if s == nil {
		s = &SizeInfo{Name: name}
		sizes[name] = s
	}
	return s
}

func (i *inspector) addColumn(c columnOf) {
	s := sizeOf(i.sizes, c.kind)
	s.Stored += c.stored
	s.Raw += c.raw
	s.Chunks += c.chunks
	if c.name != "" {
		k := sizeOf(i.metadata, c.name)
		k.Stored += c.stored
		k.Raw += c.raw
		k.Chunks += c.chunks
	}
}

func (i *inspector) addStream(tenant model.TenantID, s *block.Stream, sum streamSum) {
	key := streamKey{tenant, s.Fingerprint}
	known := i.streams[key]
	if known == nil {
		if len(i.streams) >= inspectStreamsMax {
			i.out.Uncounted++
			return
		}
		known = &streamSum{labels: s.Labels}
		i.streams[key] = known
	}
	known.entries += sum.entries
	known.raw += sum.raw
}

// partOrder is the order in which the parts of blocks are listed.
var partOrder = []string{"time", "length", "level", "metadata", "overflow", "lines", "filters", "tables", "directory", "stream table", "index.db"}

func (i *inspector) finish() {
	o := i.out
	slices.SortFunc(o.Blocks, func(a, b BlockInfo) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Day, b.Day), cmp.Compare(a.ULID, b.ULID))
	})
	o.Parts = []SizeInfo{}
	for _, name := range partOrder {
		if s := i.sizes[name]; s != nil {
			o.Parts = append(o.Parts, *s)
		}
	}
	o.Metadata = []SizeInfo{}
	for _, s := range i.metadata {
		o.Metadata = append(o.Metadata, *s)
	}
	slices.SortFunc(o.Metadata, func(a, b SizeInfo) int {
		return cmp.Or(cmp.Compare(b.Stored, a.Stored), cmp.Compare(a.Name, b.Name))
	})
	o.Metadata = o.Metadata[:min(len(o.Metadata), i.Top)]
	o.Sum.Streams = len(i.streams) + o.Uncounted
	o.Streams, o.Labels = i.largestStreams(), i.labels()
}

func (i *inspector) largestStreams() []StreamSize {
	keys := slices.SortedFunc(maps.Keys(i.streams), func(a, b streamKey) int {
		x, y := i.streams[a], i.streams[b]
		return cmp.Or(cmp.Compare(y.raw, x.raw), cmp.Compare(a.tenant, b.tenant), labels.Compare(x.labels, y.labels))
	})
	out := []StreamSize{}
	for _, k := range keys[:min(len(keys), i.Top)] {
		s := i.streams[k]
		out = append(out, StreamSize{Tenant: k.tenant, Labels: s.labels.Map(), Entries: s.entries, Raw: s.raw})
	}
	return out
}

// labels counts the values of each label name, over the distinct streams of all tenants.
func (i *inspector) labels() []LabelInfo {
	values := map[string]map[string]int{}
	for _, s := range i.streams {
		s.labels.Range(func(l labels.Label) {
			if values[l.Name] == nil {
				values[l.Name] = map[string]int{}
			}
			values[l.Name][l.Value]++
		})
	}
	out := []LabelInfo{}
	for name, counts := range values {
		info := LabelInfo{Name: name, Values: len(counts)}
		for value, n := range counts {
			info.Streams += n
			info.Top = append(info.Top, ValueInfo{value, n})
		}
		slices.SortFunc(info.Top, func(a, b ValueInfo) int {
			return cmp.Or(cmp.Compare(b.Streams, a.Streams), cmp.Compare(a.Value, b.Value))
		})
		info.Top = slices.Clip(info.Top[:min(len(info.Top), i.Top)])
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b LabelInfo) int {
		return cmp.Or(cmp.Compare(b.Values, a.Values), cmp.Compare(a.Name, b.Name))
	})
	return out
}
