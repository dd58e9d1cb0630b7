package logdb

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// tendRun does what happens to blocks after they were flushed: compaction, retention, deletes, quarantine and recovery.
type tendRun struct {
	*ledger
	t      *testing.T
	cfg    Config
	mem    *vfs.Mem // below the faults: what harms files by itself
	db     *DB
	number int
	merges float64
	healed uint64
}

func (r *tendRun) append(tenant model.TenantID, back time.Duration, words ...string) error {
	r.number++
	var streams []model.Stream
	for s, app := range []string{"a", "b"} {
		st := streamOf(app)
		for i, w := range words {
			e := model.Entry{
				Timestamp: at(time.Duration(i)*time.Second - back - time.Duration(s)*day), Level: "info",
				Line: fmt.Sprintf("%s push %d entry %d", w, r.number, i), Metadata: []model.Pair{{Name: "k", Value: w}},
			}
			st.Entries = append(st.Entries, e)
		}
		streams = append(streams, st)
	}
	for _, line := range texts(streams...) {
		r.sent[string(tenant)+line] = true
	}
	if err := r.db.Append(context.Background(), pushOf(tenant, streams...)); err != nil {
		return err
	}
	for _, line := range texts(streams...) {
		r.acked[string(tenant)+line] = true
	}
	return nil
}

// removing runs what takes away every line so far that is selected: from the call on each may be gone, when it succeeded all are.
func (r *tendRun) removing(selected func(line string) bool, remove func() error) error {
	var lines []string
	for line := range r.sent {
		if selected(line) {
			lines = append(lines, line)
			r.maybe[line] = true
		}
	}
	if err := remove(); err != nil {
		return err
	}
	for _, line := range lines {
		r.gone[line] = true
	}
	return nil
}

func (r *tendRun) delete(tenant model.TenantID, app string, d storage.DeleteRequest) func() error {
	d.Matchers = []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", app)}
	d.Interval = always
	return func() error {
		_, err := r.db.Delete(context.Background(), tenant, d)
		return err
	}
}

// harm damages the newest block of a tenant, which the log still covers, and has a query find it.
func (r *tendRun) harm(tenant model.TenantID) error {
	blocks := r.db.lookup(tenant).view.blocks
	h := blocks[len(blocks)-1]
	r.db.cache.forget(h)
	if h.open != nil {
		_ = h.open.Close() // the next question reads the file again
		h.open = nil
	}
	damage(r.t, r.mem, path.Join(h.path, "index.db"))
	_, said := readAll(r.db, tenant)
	if len(said) == 0 {
		return fmt.Errorf("nobody noticed that block %s is damaged", h.meta.ULID)
	}
	return nil
}

// scenario stops at the first operation that fails and returns that error.
func (r *tendRun) scenario() (err error) {
	ctx := context.Background()
	if r.db, err = Open(ctx, r.cfg); err != nil {
		return err
	}
	defer func() {
		if r.db != nil {
			_ = r.db.Close()
		}
	}()
	flush := func() error { return r.db.Flush(ctx) }
	tend := func() error { return r.db.tendBlocks(ctx) }
	of := func(tenant model.TenantID, app, word string) func(string) bool {
		return func(line string) bool {
			return strings.HasPrefix(line, fmt.Sprintf("%s{app=%q}", tenant, app)) && strings.Contains(line, word)
		}
	}
	steps := []func() error{
		func() error { return r.append("t1", 40*day, "old") }, flush,
		func() error {
			return r.removing(func(line string) bool { return strings.Contains(line, "old push") }, func() error { return r.db.retain() })
		},
	}
	for range 4 {
		steps = append(steps, func() error { return r.append("t1", 0, "plain", "secret") }, flush)
	}
	steps = append(steps,
		func() error { return r.append("t2", 0, "plain", "secret") },
		tend, // merges four blocks of each day
		func() error {
			return r.removing(of("t1", "a", "secret"), r.delete("t1", "a", storage.DeleteRequest{
				Filters: []storage.LineFilter{{Kind: storage.FilterLiteral, Any: []string{"secret"}}},
			}))
		},
		func() error { return r.append("t1", 0, "plain", "secret") }, // comes later: not deleted
		tend, // writes the blocks anew
		func() error {
			r.merges += counterOf(r.db.metrics.compactions.WithLabelValues("ok"))
			return r.db.Close()
		},
		func() (err error) { r.db, err = Open(ctx, r.cfg); return err },
		func() error { return r.append("t2", 0, "plain") }, flush, // gives up the segment that was replayed
		func() error { return r.append("t2", 0, "plain") }, flush,
		func() error { return r.harm("t2") },
		tend, // brings its entries back from the log
		func() error {
			return r.removing(of("t2", "b", "plain push"), r.delete("t2", "b", storage.DeleteRequest{Metadata: []model.Pair{{Name: "k", Value: "plain"}}}))
		},
		func() error { return r.append("t2", 0, "plain") },
		func() error { r.healed = uint64(counterOf(r.db.metrics.recovered)); return r.db.Close() },
		func() (err error) { r.db, err = Open(ctx, r.cfg); return err },
		flush, tend,
		func() error { return r.db.Close() },
	)
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func newTendRun(t *testing.T, inject *vfs.Inject, mem *vfs.Mem, scratch string) *tendRun {
	cfg := crashConfig(t, inject, scratch)
	cfg.Retention = func(model.TenantID) Retention { return Retention{Period: 30 * day} }
	return &tendRun{ledger: newLedger(), t: t, cfg: cfg, mem: mem}
}

// everyOperation calls try for the operations at which it breaks the scenario, until try says that there are no more: all of
// them with WOODSHED_CRASH=all, as `mage crash` has it, else one in eleven from a random one on.
func everyOperation(t *testing.T, try func(k int) (more bool)) {
	step, k := 11, 1+rand.Intn(11)
	if os.Getenv("WOODSHED_CRASH") == "all" {
		step, k = 1, 1
	}
	t.Logf("operations %d, %d, …", k, k+step)
	for try(k) {
		k += step
	}
	require.Greater(t, k, 300, "the scenario has become trivial")
}

func TestCrashWhileTending(t *testing.T) {
	scratch := t.TempDir()
	everyOperation(t, func(k int) bool {
		mem := vfs.NewMem()
		inject := vfs.NewInject(mem)
		inject.Arm(vfs.Fault{At: k})
		r := newTendRun(t, inject, mem, scratch)
		err := r.scenario()
		cfg := r.cfg
		if !inject.Fired() {
			require.NoError(t, err)
			require.GreaterOrEqual(t, r.merges, 2.0, "nothing was merged")
			require.Positive(t, r.healed, "nothing came back from the log")
			return false
		}
		cfg.FS = mem.CrashClone(rand.New(rand.NewSource(int64(k))))
		got, err := contents(t, cfg)
		require.NoError(t, err, "crash at operation %d", k)
		require.NoError(t, r.check(got), "crash at operation %d", k)
		return true
	})
}

func TestFaultWhileTending(t *testing.T) {
	scratch := t.TempDir()
	for _, forever := range []bool{false, true} {
		everyOperation(t, func(k int) bool {
			mem := vfs.NewMem()
			inject := vfs.NewInject(mem)
			inject.Arm(vfs.Fault{At: k, Forever: forever, Err: syscall.EIO})
			r := newTendRun(t, inject, mem, scratch)
			err := r.scenario()
			if !inject.Fired() {
				require.NoError(t, err)
				return false
			}
			if forever {
				require.Error(t, err, "operation %d fails for ever and nobody hears of it", k)
			}
			inject.Disarm()
			got, err := contents(t, r.cfg)
			require.NoError(t, err, "forever %t, fault at %d", forever, k)
			require.NoError(t, r.check(got), "forever %t, fault at %d", forever, k)
			return true
		})
	}
}

func counterOf(c prometheus.Collector) float64 { return testutil.ToFloat64(c) }
