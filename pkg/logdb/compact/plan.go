package compact

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
)

// Options of Plan. The zero value of all but Today works.
type Options struct {
	// Today is a day as in block.Meta.Day. Days before it are closed: what comes for them now is late. An owner that
	// flushes hourly names yesterday until the last flush of yesterday is done, else that one is late as well.
	Today string
	// BlockBytes is what merged blocks aim at, raw; they exceed it by a quarter at most. 0: BlockBytesDefault.
	BlockBytes int64
	// FanIn is how many blocks make a merge worth it while more are expected. 0: FanInDefault.
	FanIn int
	// Rewrite tells the blocks that must be written again even alone: masked by a tombstone or by retention, or with chunks
	// that were compressed in a hurry. Nil: none. Once rewritten a block is no longer told.
	Rewrite func(*block.Meta) bool
	// RewriteOnly leaves merges out, for an owner who wants none: what must be rewritten is then rewritten alone.
	RewriteOnly bool
	// Busy tells the blocks that may not be touched, for instance because an earlier removal failed. Nil: none.
	Busy func(*block.Meta) bool
}

// Job is some neighbours to be replaced by one block; a single one is rewritten.
type Job struct {
	Blocks []block.Meta // by (walTo, ULID)
	Level  int          // of the new block
}

// RawBytes is the size of what goes in.
func (j *Job) RawBytes() int64 {
	var n int64
	for i := range j.Blocks {
		n += int64(j.Blocks[i].RawBytes)
	}
	return n
}

// Output is the meta of the new block as far as the job knows it; ULID, instance and group are the owner's. The ULID is
// larger than all there are.
func (j *Job) Output() block.Meta {
	first, last := &j.Blocks[0], &j.Blocks[len(j.Blocks)-1]
	m := block.Meta{Tenant: first.Tenant, Day: first.Day, Level: j.Level, WalTo: last.WalTo, Replicas: block.ReplicasDeduped}
	for i := range j.Blocks {
		m.Parents = append(m.Parents, j.Blocks[i].ULID)
		if j.Blocks[i].Replicas != block.ReplicasDeduped {
			m.Replicas = block.ReplicasUnknown
		}
	}
	return m
}

// Plan returns what is to be done with the blocks of one tenant, given in any order, newest day first. No two jobs share a
// block, so the owner may do some or all of them in that order before it plans again, and there is nothing left to do after
// finitely many rounds.
//
// An open day merges FanIn neighbours of level 0 or more, as many as fit into a block. A closed day is settled once:
// whatever neighbours fit together become one block. What comes for a settled day is late; late blocks merge among
// themselves, FanIn of one level, and join the settled block before them once they are a quarter of it; after that, or when
// they have reached the last level by themselves, they stay blocks of their own: one in FanIn³ flushes and a few that wait.
func Plan(metas []block.Meta, o Options) []Job {
	p := planner{Options: o}
	p.BlockBytes = cmp.Or(p.BlockBytes, BlockBytesDefault)
	p.FanIn = max(cmp.Or(p.FanIn, FanInDefault), 2)
	sorted := slices.Clone(metas)
	slices.SortFunc(sorted, compareArrival)
	var jobs []Job
	for end := len(sorted); end > 0; {
		start := end
		for start > 0 && sorted[start-1].Day == sorted[end-1].Day {
			start--
		}
		jobs = append(jobs, p.day(sorted[start:end])...)
		end = start
	}
	return jobs
}

// compareArrival orders blocks by day and arrival.
func compareArrival(a, b block.Meta) int {
	return cmp.Or(strings.Compare(a.Day, b.Day), cmp.Compare(a.WalTo, b.WalTo), bytes.Compare(a.ULID[:], b.ULID[:]))
}

type planner struct{ Options }

// unit is the neighbours of one walTo, nearly always a single block. They go together or not at all: the output has their
// walTo and a larger ULID, so what stayed behind would change places with it.
type unit struct {
	blocks  []block.Meta
	raw     int64
	level   int
	busy    bool
	rewrite bool
}

func (p *planner) units(blocks []block.Meta) []unit {
	var units []unit
	for i := range blocks {
		b := &blocks[i]
		if n := len(units); n == 0 || units[n-1].blocks[0].WalTo != b.WalTo {
			units = append(units, unit{blocks: blocks[i:i]})
		}
		u := &units[len(units)-1]
		u.blocks = u.blocks[:len(u.blocks)+1]
		u.raw += int64(b.RawBytes)
		u.level = max(u.level, b.Level)
		u.busy = u.busy || p.Busy != nil && p.Busy(b)
		u.rewrite = u.rewrite || p.Rewrite != nil && p.Rewrite(b)
	}
	return units
}

// day plans the blocks of one day, in order.
func (p *planner) day(blocks []block.Meta) []Job {
	units := p.units(blocks)
	var merges []span
	switch {
	case p.RewriteOnly:
	case blocks[0].Day < p.Today:
		merges = p.closedDay(units)
	default:
		merges = p.openDay(units)
	}
	taken := make([]bool, len(units))
	var jobs []Job
	for _, s := range merges {
		jobs = append(jobs, jobOf(units[s.start:s.end], s.level))
		for i := s.start; i < s.end; i++ {
			taken[i] = true
		}
	}
	for i := range units {
		if u := &units[i]; u.rewrite && !u.busy && !taken[i] {
			jobs = append(jobs, jobOf(units[i:i+1], u.level))
		}
	}
	return jobs
}

// span is units [start, end) that merge into a block of the level.
type span struct{ start, end, level int }

func jobOf(units []unit, level int) Job {
	j := Job{Level: level}
	for i := range units {
		j.Blocks = append(j.Blocks, units[i].blocks...)
	}
	return j
}

// bytesMax is the most that a merged block may hold. The room above the target is there because a flush that is a little
// over its size must not leave every fourth one out.
func (p *planner) bytesMax() int64 { return p.BlockBytes + p.BlockBytes/4 }

// full is the size from which a block is left as it is when its day is settled.
func (p *planner) full() int64 { return p.BlockBytes - p.BlockBytes/8 }

// fitting returns the end of the longest run of units from start on that makes one block, up to limit, and its raw bytes.
// Blocks of no more than the level are taken; a busy one ends it.
func (p *planner) fitting(units []unit, start, limit, level int) (end int, raw int64) {
	for end = start; end < limit; end++ {
		u := &units[end]
		if u.busy || u.level > level || (end > start && raw+u.raw > p.bytesMax()) {
			break
		}
		raw += u.raw
	}
	return end, raw
}

// openDay merges runs of level 0; full blocks are left as they are. A run that neither stays small nor fills a block waits for more, or a busy day would end
// in blocks of half the size. And one that stays small waits for as many as have merged already: the blocks of a day then
// grow with the square root of its flushes, at no cost.
func (p *planner) openDay(units []unit) (spans []span) {
	merged := 0
	for i := range units {
		if u := &units[i]; u.level == 1 && u.raw < p.full() {
			merged++
		}
	}
	for start := 0; start < len(units); {
		stop := start
		for stop < len(units) && !units[stop].busy && units[stop].level == 0 && units[stop].raw < p.full() {
			stop++
		}
		for stop-start >= p.FanIn {
			end, raw := p.fitting(units, start, stop, 0)
			need := max(2*p.FanIn*p.FanIn, merged)
			switch {
			case end < stop || raw >= p.full():
				need = 2
			case raw <= p.BlockBytes/4:
				need = max(p.FanIn, merged)
			}
			if end-start >= need {
				spans = append(spans, span{start, end, 1})
			} else if end == stop {
				break
			}
			start = end
		}
		start = stop + 1
	}
	return spans
}
