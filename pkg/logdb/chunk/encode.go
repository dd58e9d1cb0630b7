package chunk

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Encode sorts each run by (timestamp, arrival) and encodes the runs, in the order given, as one chunk. One run is a big
// stream, several make a packed chunk; no two may have the same Ref. Runs that are empty after Within are left out. It
// fails only when nothing is left or a limit is broken, which are errors of the caller.
func Encode(runs []Run, o Options) (*Encoded, error) {
	b := builders.Get().(*builder)
	defer b.release()
	b.reset(o)
	if err := b.gather(runs); err != nil {
		return nil, fmt.Errorf("encode chunk: %w", err)
	}
	t := b.table(o)
	b.timePage(t)
	b.intPage(columnLength, b.lengths)
	b.levelPage(t)
	b.metadataPages()
	b.linesPage()
	t.columns = slices.Clone(b.columns)
	return &Encoded{
		Pages: slices.Clone(b.pages), Table: *t,
		Filter:     makeFilter(b.lines, b.lengths, len(b.pages)),
		MetaFilter: makeMetaFilter(b.cells.names, b.cells.list),
	}, nil
}

var builders = sync.Pool{New: func() any { return new(builder) }}

// builder holds the columns of one chunk while it is encoded.
type builder struct {
	zstd *zstd.Encoder

	runs    []RunInfo
	times   []model.Timestamp
	lengths []int64
	levels  levelSet
	lines   []byte // aliases the only run's view when nothing had to be moved
	cells   cells
	owned   []byte // backs lines otherwise

	pages   []byte
	columns []column

	ints       []int64
	places     places
	page, temp []byte
}

func (b *builder) reset(o Options) {
	b.zstd = encoderOf(o.Level)
	b.runs, b.times, b.lengths = b.runs[:0], b.times[:0], b.lengths[:0]
	b.lines, b.owned, b.pages, b.columns = nil, b.owned[:0], b.pages[:0], b.columns[:0]
	b.levels.reset()
	b.cells.reset()
}

// release returns the builder to the pool without keeping alive what the runs own, nor the buffers of a huge entry.
func (b *builder) release() {
	b.lines = nil
	b.cells.release()
	b.places.release()
	if cap(b.owned)+cap(b.page)+cap(b.temp)+cap(b.pages) > 8*encoderBytesMax {
		return
	}
	builders.Put(b)
}

// gather brings the entries into their final order, column by column.
func (b *builder) gather(runs []Run) error {
	seen := make(map[model.StreamRef]struct{}, len(runs))
	for i := range runs {
		r := &runs[i]
		order, all := sortedOrder(r)
		if len(order) == 0 {
			continue
		}
		if _, twice := seen[r.Ref]; twice {
			return fmt.Errorf("stream %d has two runs", r.Ref)
		}
		seen[r.Ref] = struct{}{}
		if len(b.times)+len(order) > EntriesMax {
			return fmt.Errorf("more than %d entries", EntriesMax)
		}
		b.addRun(r, order)
		if all && len(runs) == 1 {
			b.lines = r.Rows.lines
			continue
		}
		for _, row := range order {
			b.owned = append(b.owned, r.Rows.Line(int(row))...)
		}
		b.lines = b.owned
	}
	if len(b.times) == 0 {
		return errors.New("no entries")
	}
	var raw uint64
	for _, r := range b.runs {
		raw += r.RawBytes
	}
	if raw > EntryBytesMax || (raw > RawBytesMax && len(b.times) > 1) {
		return fmt.Errorf("%d entries of %d bytes together", len(b.times), raw)
	}
	return nil
}

// sortedOrder returns the rows that the run contributes by (timestamp, arrival), and whether these are all rows as they
// lie.
func sortedOrder(r *Run) (order []uint32, all bool) {
	n := r.Rows.Len()
	order = make([]uint32, 0, n)
	for i, t := range r.Rows.times {
		if r.Within.Empty() || r.Within.Contains(t) {
			order = append(order, uint32(i))
		}
	}
	if r.Rows.InOrder() {
		return order, len(order) == n
	}
	slices.SortFunc(order, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(r.Rows.times[a], r.Rows.times[b]), cmp.Compare(a, b))
	})
	return order, false
}

func (b *builder) addRun(r *Run, order []uint32) {
	v := &r.Rows
	info := RunInfo{Ref: r.Ref, First: uint32(len(b.times)), Count: uint32(len(order))}
	mapping := b.levels.mapping(v)
	names := b.cells.mapping(v)
	for _, row := range order {
		i := uint32(len(b.times))
		line := len(v.Line(int(row)))
		b.times = append(b.times, v.times[row])
		b.lengths = append(b.lengths, int64(line))
		code := mapping.code(int(row))
		b.levels.add(code, uint32(line))
		info.RawBytes += uint64(line)
		if code >= levelCustom {
			info.RawBytes += uint64(len(b.levels.names[code]))
		}
		info.RawBytes += b.cells.add(i, v, names, v.entryPairs(int(row)))
	}
	info.MinTime, info.MaxTime = b.times[info.First], b.times[len(b.times)-1]
	b.runs = append(b.runs, info)
}

func (b *builder) table(o Options) *Table {
	t := &Table{
		MinTime: b.runs[0].MinTime, MaxTime: b.runs[0].MaxTime,
		Entries: uint32(len(b.times)), LineBytes: uint64(len(b.lines)), Runs: slices.Clone(b.runs),
	}
	for i := range t.Runs {
		r := &t.Runs[i]
		t.MinTime, t.MaxTime = min(t.MinTime, r.MinTime), max(t.MaxTime, r.MaxTime)
		t.RawBytes += r.RawBytes
	}
	if bytes.IndexByte(b.lines, '\n') >= 0 {
		t.Flags |= HasNewline
	}
	if bytes.Contains(b.lines, []byte(`\u00`)) {
		t.Flags |= EscapedASCII
	}
	if o.Level == Fastest {
		t.Flags |= Fast
	}
	return t
}

func (b *builder) timePage(t *Table) {
	deltas, unit := timeDeltas(b.ints[:0], b.times, t.Runs)
	b.ints = deltas
	b.page = binary.AppendUvarint(b.page[:0], unit)
	b.chooseInts(column{kind: columnTime}, deltas)
}

func (b *builder) intPage(kind uint8, values []int64) {
	b.page = b.page[:0]
	b.chooseInts(column{kind: kind}, values)
}

// chooseInts adds a page of what b.page holds so far, followed by values bit-packed, or as compressed varints where these
// take less than 0.7 of the bytes: they cost another nanosecond a value to read.
func (b *builder) chooseInts(c column, values []int64) {
	head := len(b.page)
	b.page = appendFOR(b.page, values)
	b.temp = append(b.temp[:0], b.page[:head]...)
	b.temp = appendVarints(b.temp, values)
	raw := len(b.temp)
	start := len(b.pages)
	if raw >= zstdMinBytes && len(b.page) >= zstdMinBytes {
		b.pages = b.zstd.EncodeAll(b.temp, b.pages)
		if n := len(b.pages) - start; n*10 < len(b.page)*7 {
			c.enc, c.zstd, c.raw = intVarint, true, uint32(raw)
			b.addColumn(c, start)
			return
		}
		b.pages = b.pages[:start]
	}
	b.pages = append(b.pages, b.page...)
	c.enc, c.raw = intFOR, uint32(len(b.page))
	b.addColumn(c, start)
}

// packPage adds a page, compressed when that saves an eighth.
func (b *builder) packPage(c column, page []byte) {
	start := len(b.pages)
	c.raw = uint32(len(page))
	if len(page) >= zstdMinBytes {
		b.pages = b.zstd.EncodeAll(page, b.pages)
		if n := len(b.pages) - start; n*8 < len(page)*7 {
			c.zstd = true
			b.addColumn(c, start)
			return
		}
		b.pages = b.pages[:start]
	}
	b.pages = append(b.pages, page...)
	b.addColumn(c, start)
}

// addColumn closes the page that starts at start.
func (b *builder) addColumn(c column, start int) {
	c.offset, c.stored = uint32(start), uint32(len(b.pages)-start)
	c.crc = checksum(b.pages[start:])
	b.columns = append(b.columns, c)
}

// levelPage adds the dictionary and the codes of the level column, unless there is one level only and the table has it.
func (b *builder) levelPage(t *Table) {
	used := b.levels.compact()
	if countable(used) {
		t.Levels = used
		t.minutes = countMinutes(b.times, b.lengths, &b.levels, t.Runs, len(used))
		if len(used) == 1 {
			return
		}
	}
	b.page = binary.AppendUvarint(b.page[:0], uint64(len(used)))
	for _, l := range used {
		b.page = appendLevelName(b.page, l.Level)
	}
	b.ints = b.ints[:0]
	for _, c := range b.levels.codes {
		b.ints = append(b.ints, int64(c))
	}
	b.page = appendFOR(b.page, b.ints)
	b.packPage(column{kind: columnLevel}, b.page)
}

func (b *builder) linesPage() { b.packPage(column{kind: columnLines, enc: linesJoined}, b.lines) }

// Encodings of the lines page. A later one may split lines into templates and variables.
const linesJoined = 0
