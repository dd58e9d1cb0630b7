package compact

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
)

const (
	mib   = int64(1) << 20
	gib   = int64(1) << 30
	day   = "2026-11-23"
	today = "2026-11-24" // when day is closed
)

// simulation is the blocks of one tenant and what was written.
type simulation struct {
	t       testing.TB
	options Options
	blocks  []block.Meta
	next    uint64 // for ULIDs and positions
	in      int64
	written int64
}

func newSimulation(t testing.TB) *simulation {
	return &simulation{t: t, options: Options{Today: day}}
}

func (s *simulation) id() (id ulid.ULID) {
	s.next++
	binary.BigEndian.PutUint64(id[8:], s.next)
	return id
}

// flush adds a block of level 0.
func (s *simulation) flush(raw int64) {
	m := block.Meta{ULID: s.id(), Tenant: "fake", Day: day, RawBytes: uint64(raw), Replicas: block.ReplicasUnknown}
	m.WalTo = s.next
	s.blocks = append(s.blocks, m)
	s.in += raw
	s.written += raw
}

// settle plans and does the first job until nothing is left to do.
func (s *simulation) settle() {
	for range 1000 {
		jobs := Plan(s.blocks, s.options)
		if len(jobs) == 0 {
			return
		}
		checkJobs(s.t, s.blocks, jobs)
		s.do(&jobs[0])
	}
	s.t.Fatal("planning does not end")
}

func (s *simulation) do(j *Job) {
	m := j.Output()
	m.ULID, m.RawBytes = s.id(), uint64(j.RawBytes())
	s.written += j.RawBytes()
	s.blocks = append(slices.DeleteFunc(s.blocks, func(b block.Meta) bool { return slices.Contains(m.Parents, b.ULID) }), m)
}

func (s *simulation) close() {
	s.options.Today = today
	s.settle()
}

func (s *simulation) amplification() float64 { return float64(s.written) / float64(s.in) }

func (s *simulation) String() string {
	sorted := slices.SortedFunc(slices.Values(s.blocks), compareArrival)
	text := fmt.Sprintf("amplification %.2f:", s.amplification())
	for _, b := range sorted {
		text += fmt.Sprintf(" L%d %.1f", b.Level, float64(b.RawBytes)/float64(mib))
	}
	return text
}

// checkJobs checks what every plan promises.
func checkJobs(t testing.TB, blocks []block.Meta, jobs []Job) {
	sorted := slices.SortedFunc(slices.Values(blocks), compareArrival)
	taken := map[ulid.ULID]bool{}
	for i := range jobs {
		j := &jobs[i]
		at := slices.IndexFunc(sorted, func(b block.Meta) bool { return b.ULID == j.Blocks[0].ULID })
		require.GreaterOrEqual(t, at, 0)
		require.Equal(t, sorted[at:at+len(j.Blocks)], j.Blocks, "neighbours, in order")
		end := at + len(j.Blocks)
		require.True(t, end == len(sorted) || sorted[end].Day != sorted[at].Day || sorted[end].WalTo > j.Output().WalTo,
			"the output takes the place of its parents")
		require.LessOrEqual(t, j.Level, levelMax)
		for _, b := range j.Blocks {
			require.False(t, taken[b.ULID], "no two jobs share a block")
			taken[b.ULID] = true
			require.Equal(t, j.Blocks[0].Day, b.Day)
			if j.Blocks[0].WalTo < j.Output().WalTo {
				require.Greater(t, j.Level, b.Level)
			}
		}
		if len(j.Blocks) > 1 {
			require.LessOrEqual(t, j.RawBytes(), int64(5*BlockBytesDefault/4))
		}
	}
}

func TestSimulations(t *testing.T) {
	f := func(name string, blocksMax int, amplificationMax float64, run func(*simulation, *rand.Rand)) {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				s := newSimulation(t)
				run(s, rand.New(rand.NewPCG(seed, 1)))
				require.LessOrEqual(t, len(s.blocks), blocksMax, "seed %d: %s", seed, s)
				require.LessOrEqual(t, s.amplification(), amplificationMax, "seed %d: %s", seed, s)
				if seed == 0 {
					t.Log(s)
				}
			}
		})
	}
	between := func(rng *rand.Rand, lo, hi int64) int64 { return lo + rng.Int64N(hi-lo+1) }
	const anyBytes = 4 // what is promised whatever arrives

	f("quiet, hourly", 1, 3, func(s *simulation, rng *rand.Rand) {
		for range 24 {
			s.flush(between(rng, mib, 5*mib))
			s.settle()
		}
		s.close()
	})
	f("one flush", 1, 1, func(s *simulation, rng *rand.Rand) {
		s.flush(between(rng, mib, gib))
		s.close()
	})
	f("quiet, unequal hours", 1, 3, func(s *simulation, rng *rand.Rand) {
		for range 24 {
			s.flush(mib << rng.IntN(7))
			s.settle()
		}
		s.close()
	})
	// ≤ 30 files and 3 per 8 GiB: 12 blocks of 3 files.
	f("busy, 20 GiB", 12, 2.2, func(s *simulation, rng *rand.Rand) {
		for s.in < 20*gib {
			s.flush(between(rng, 505*mib, 520*mib))
			s.settle()
		}
		s.close()
	})
	f("busy, 20 GiB, shared heads", 12, 3, func(s *simulation, rng *rand.Rand) {
		for s.in < 20*gib {
			s.flush(between(rng, 30*mib, 512*mib))
			s.settle()
		}
		s.close()
	})
	f("busy, 20 GiB, small flushes", 12, 3, func(s *simulation, rng *rand.Rand) {
		for s.in < 20*gib {
			s.flush(between(rng, 50*mib, 150*mib))
			s.settle()
		}
		s.close()
	})
	f("busy, 20 GiB, settled in one go", 12, 2.2, func(s *simulation, rng *rand.Rand) {
		for s.in < 20*gib {
			s.flush(between(rng, 30*mib, 512*mib))
		}
		s.close()
	})
	f("tiny flushes of a shared store", 1, 3, func(s *simulation, rng *rand.Rand) {
		for range 1000 {
			s.flush(between(rng, mib, 2*mib))
			s.settle()
			require.Less(s.t, len(s.blocks), 100)
		}
		s.close()
	})
	// Late flushes, hourly for a week: one in 64 is left, and a few that wait.
	f("late data for a week", 14, anyBytes, func(s *simulation, rng *rand.Rand) {
		for range 24 {
			s.flush(between(rng, 4*mib, 40*mib))
			s.settle()
		}
		s.close()
		for range 168 {
			s.flush(between(rng, mib, 2*mib))
			s.settle()
		}
	})
	f("late data behind a busy day", 24, anyBytes, func(s *simulation, rng *rand.Rand) {
		for s.in < 20*gib {
			s.flush(between(rng, 400*mib, 512*mib))
			s.settle()
		}
		s.close()
		for range 168 {
			s.flush(between(rng, mib, 20*mib))
			s.settle()
		}
	})
	f("late data only", 20, anyBytes, func(s *simulation, rng *rand.Rand) {
		s.options.Today = today
		for range 500 {
			s.flush(between(rng, mib, 3*mib))
			s.settle()
		}
	})
	f("anything", 60, anyBytes, func(s *simulation, rng *rand.Rand) {
		closing := rng.IntN(300)
		for i := range 300 {
			if i == closing {
				s.options.Today = today
			}
			s.flush(mib<<rng.IntN(10) + rng.Int64N(mib))
			if rng.IntN(3) == 0 {
				s.settle()
			}
		}
		s.settle()
	})
}

// metas makes neighbours of a day: levels, and sizes in MiB.
func metas(pairs ...int64) (out []block.Meta) {
	s := newSimulation(nil)
	for i := 0; i < len(pairs); i += 2 {
		s.flush(pairs[i+1] * mib)
		s.blocks[len(s.blocks)-1].Level = int(pairs[i])
	}
	return s.blocks
}

func TestPlan(t *testing.T) {
	f := func(o Options, blocks []block.Meta, want ...string) {
		t.Helper()
		shuffled := slices.Clone(blocks)
		for range 3 {
			rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			jobs := Plan(shuffled, o)
			checkJobs(t, blocks, jobs)
			var got []string
			for _, j := range jobs {
				at := slices.IndexFunc(blocks, func(b block.Meta) bool { return b.ULID == j.Blocks[0].ULID })
				got = append(got, fmt.Sprintf("%d-%d L%d", at, at+len(j.Blocks)-1, j.Level))
			}
			require.Equal(t, want, got)
		}
	}
	open, closed := Options{Today: day}, Options{Today: today}

	f(open, nil)
	f(open, metas(0, 10, 0, 10, 0, 10))
	f(open, metas(0, 10, 0, 10, 0, 10, 0, 10), "0-3 L1")
	f(open, metas(1, 40, 0, 10, 0, 10, 0, 10, 0, 10), "1-4 L1")
	f(open, metas(0, 512, 0, 512, 0, 512, 0, 512), "0-3 L1")
	f(open, metas(0, 512, 0, 512, 0, 512, 0, 512, 0, 512, 0, 512), "0-4 L1")
	f(open, metas(0, 200, 0, 200, 0, 200, 0, 200)) // would be neither small nor full
	f(open, metas(0, 2000, 0, 2000, 0, 2000, 0, 2000))
	f(open, metas(0, 900, 0, 900, 0, 900, 0, 900), "0-1 L1") // the other two may find more

	f(closed, metas(0, 10))
	f(closed, metas(0, 10, 0, 10), "0-1 L2")
	f(closed, metas(1, 1000, 1, 1000, 1, 1000, 0, 100, 0, 100), "2-4 L2", "0-1 L2")
	f(closed, metas(1, 2000, 1, 2000, 0, 100, 0, 100), "2-3 L2") // full ones stay as they are
	f(closed, metas(1, 500, 1, 1900, 0, 200), "0-1 L2")          // unless others are worth it
	f(closed, metas(2, 100, 0, 10))                              // late
	f(closed, metas(2, 100, 0, 10, 0, 10))
	f(closed, metas(2, 100, 0, 10, 0, 15), "0-2 L3")
	f(closed, metas(2, 100, 0, 1, 0, 1, 0, 1, 0, 1), "1-4 L1")
	f(closed, metas(2, 900, 1, 10, 1, 10, 0, 1, 1, 10, 1, 10), "1-5 L2")
	f(closed, metas(3, 100, 0, 90))
	f(closed, metas(3, 100, 2, 10, 2, 10, 2, 10, 2, 10), "1-4 L3")
	f(closed, metas(0, 100, 0, 100, 2, 1000, 0, 1), "0-1 L2") // being settled, from the end

	is := func(blocks []block.Meta, places ...int) func(*block.Meta) bool {
		return func(m *block.Meta) bool {
			return slices.ContainsFunc(places, func(i int) bool { return blocks[i].ULID == m.ULID })
		}
	}
	ten := metas(0, 10, 0, 10, 0, 10, 0, 10, 0, 10)
	f(Options{Today: today, Busy: is(ten, 2)}, ten, "3-4 L2", "0-1 L2")
	f(Options{Today: day, Busy: is(ten, 2)}, ten)
	f(Options{Today: day, Busy: is(ten, 0), Rewrite: is(ten, 0, 1)}, ten, "1-4 L1") // masked while it merges
	f(Options{Today: day, Busy: is(ten, 0, 4), Rewrite: is(ten, 0, 2)}, ten, "2-2 L0")
	f(Options{Today: today, RewriteOnly: true, Rewrite: is(ten, 1, 3)}, ten, "1-1 L0", "3-3 L0")
	settled := metas(3, 100)
	f(Options{Today: today, Rewrite: is(settled, 0)}, settled, "0-0 L3")

	same := metas(0, 10, 0, 10, 0, 10, 0, 10)
	same[3].WalTo = same[2].WalTo // go together or not at all
	f(Options{Today: day, FanIn: 2, BlockBytes: 28 * mib}, same, "0-1 L1")
	f(Options{Today: day, Rewrite: is(same, 2)}, same, "2-3 L0")
}

func TestPlanDays(t *testing.T) {
	blocks := metas(0, 10, 0, 10, 0, 10, 0, 10, 0, 10, 0, 10)
	for i := range blocks[:2] {
		blocks[i].Day = "2026-11-20"
	}
	blocks[2].Replicas, blocks[3].Replicas = block.ReplicasDeduped, block.ReplicasDeduped
	blocks[0].Replicas = block.ReplicasDeduped
	for _, i := range []int{2, 3} {
		blocks[i].Day = "2026-11-21"
	}
	jobs := Plan(blocks, Options{Today: day})
	require.Len(t, jobs, 2, "newest first; the open day waits")
	require.Equal(t, blocks[2:4], jobs[0].Blocks)
	require.Equal(t, blocks[0:2], jobs[1].Blocks)
	m := jobs[0].Output()
	require.Equal(t, block.Meta{
		Tenant: "fake", Day: "2026-11-21", Level: levelSettled, Parents: []ulid.ULID{blocks[2].ULID, blocks[3].ULID},
		WalTo: blocks[3].WalTo, Replicas: block.ReplicasDeduped,
	}, m)
	m = jobs[1].Output()
	require.Equal(t, block.ReplicasUnknown, m.Replicas)
}
