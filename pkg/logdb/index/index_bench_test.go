package index

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

const benchStreams = 100_000

// benchSource has ten labels a stream, pod and instance unique, as a large cluster has.
func benchSource() Source {
	s := Source{ChunksCount: benchStreams}
	for i := range benchStreams {
		s.Streams = append(s.Streams, labels.FromStrings(
			"app", fmt.Sprintf("app-%d", i%100), "namespace", fmt.Sprintf("ns-%d", i%30), "cluster", "eu-west-1",
			"container", fmt.Sprintf("container-%d", i%200), "job", fmt.Sprintf("ns-%d/app-%d", i%30, i%100),
			"stream", []string{"stdout", "stderr"}[i&1], "node", fmt.Sprintf("node-%d", i%500), "service_name", fmt.Sprintf("app-%d", i%100),
			"pod", fmt.Sprintf("app-%d-%08x-%05d", i%100, uint32(i)*2654435761, i), "instance", fmt.Sprintf("10.%d.%d.%d:8080", i>>16, i>>8&255, i&255),
		))
		s.Chunks = append(s.Chunks, []uint32{uint32(i)})
	}
	return s
}

func BenchmarkBuild(b *testing.B) {
	s, dir := benchSource(), b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		b.ReportMetric(float64(len(buildBytes(b, dir, s)))/benchStreams, "B/stream")
	}
}

// cpuTime is what this process has used. Machines that run tests are busy, so the clock on the wall says little.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchReaders returns the same streams on a real file, in a file in memory and as a live index.
func benchReaders(b *testing.B, s Source) map[string]Reader {
	path := filepath.Join(b.TempDir(), "index.db")
	data := buildBytes(b, b.TempDir(), s)
	require.NoError(b, os.WriteFile(path, data, 0o600))
	file, err := os.Open(path)
	require.NoError(b, err)
	d, err := Open(file, int64(len(data)), crc32.Checksum(data, castagnoli))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, d.Close()) })
	inMemory, _, err := openBytes(data, len(data), crc32.Checksum(data, castagnoli))
	require.NoError(b, err)
	return map[string]Reader{"disk": d, "diskInMemory": inMemory, "mem": memOf(s.Streams).Snapshot()}
}

// benchMatchers are selectors on pod, which has 100,000 values like app-77-9e3779b1-04711, unless they name another label.
func benchMatchers(s Source) (names []string, matchers [][]*labels.Matcher) {
	eq, ne, re, nre := labels.MatchEqual, labels.MatchNotEqual, labels.MatchRegexp, labels.MatchNotRegexp
	add := func(name string, ms ...*labels.Matcher) { names, matchers = append(names, name), append(matchers, ms) }
	pod := func(name string, typ labels.MatchType, value string) {
		add(name, labels.MustNewMatcher(typ, "pod", value))
	}
	var set []string
	for i := range 20 {
		set = append(set, s.Streams[i*4711].Get("pod"))
	}
	add("equality/1000streams", labels.MustNewMatcher(eq, "app", "app-7"))
	pod("equality/1stream", eq, s.Streams[4711].Get("pod"))
	add("three", labels.MustNewMatcher(eq, "app", "app-7"), labels.MustNewMatcher(eq, "namespace", "ns-7"),
		labels.MustNewMatcher(ne, "pod", "z"))
	pod("set20", re, strings.Join(set, "|"))
	pod("prefix", re, "app-77-.*")
	pod("prefixes", re, "(app-7|app-8)-.*")
	pod("contains", re, ".*abc.*")
	pod("containsAll", re, ".*app.*")
	pod("suffix", re, ".*-04711")
	pod("twoContains", re, "app-.*-7f.*")
	pod("alternation", re, ".*abc.*|.*-7f.*|.*4711.*")
	pod("fold", re, "(?i).*ABC.*")
	pod("dashes", re, ".*-.*-.*-.*")
	pod("class", re, "[a-z]+-[0-9]+-[0-9a-f]+-[0-9]{3}7[0-9]")
	pod("classBehind", re, ".*-[0-9]{3}7[0-9]")
	pod("classAndText", re, "app-[0-9]+-[0-9a-f]+-047[0-9]+")
	pod("notContains", nre, ".*abc.*")
	pod("notContainsAll", nre, ".*app.*")
	pod("containsOrEmpty", re, "(.*abc.*)?")
	pod("some", re, ".+")
	pod("any", re, ".*")
	return names, matchers
}

// BenchmarkResolve/contains/disk and so on, over 100,000 streams.
func BenchmarkResolve(b *testing.B) {
	s := benchSource()
	readers := benchReaders(b, s)
	names, matchers := benchMatchers(s)
	for i, ms := range matchers {
		for _, reader := range []string{"disk", "diskInMemory", "mem"} {
			b.Run(names[i]+"/"+reader, func(b *testing.B) {
				b.ReportAllocs()
				start := time.Duration(0)
				for b.Loop() {
					if start == 0 {
						start = cpuTime(b)
					}
					if _, err := Resolve(readers[reader], ms); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// BenchmarkLabelValues lists the values of pod, of which there are 100,000: all of them, or those of 1,000 streams.
func BenchmarkLabelValues(b *testing.B) {
	readers := benchReaders(b, benchSource())
	for _, reader := range []string{"disk", "mem"} {
		refs, err := Resolve(readers[reader], []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "app-7")})
		require.NoError(b, err)
		for _, q := range []struct {
			name string
			refs *roaring.Bitmap
			want int
		}{{"all", nil, benchStreams}, {"app=x", refs, benchStreams / 100}} {
			b.Run(q.name+"/"+reader, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if v, err := LabelValues(readers[reader], "pod", q.refs); err != nil || len(v) != q.want {
						b.Fatal(len(v), err)
					}
				}
			})
		}
	}
}

// BenchmarkOpen is dominated by the checksum of the file.
func BenchmarkOpen(b *testing.B) {
	s := benchSource()
	data := buildBytes(b, b.TempDir(), s)
	path, crc := filepath.Join(b.TempDir(), "index.db"), crc32.Checksum(data, castagnoli)
	require.NoError(b, os.WriteFile(path, data, 0o600))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		file, err := os.Open(path)
		require.NoError(b, err)
		d, err := Open(file, int64(len(data)), crc)
		require.NoError(b, err)
		require.NoError(b, d.Close())
	}
}

func BenchmarkMemAdd(b *testing.B) {
	s := benchSource()
	b.ReportAllocs()
	for b.Loop() {
		memOf(s.Streams)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchStreams, "ns/stream")
	before := heapBytes()
	m := memOf(s.Streams)
	b.ReportMetric(float64(heapBytes()-before)/benchStreams, "heap-B/stream")
	b.ReportMetric(float64(m.MemoryBytes())/benchStreams, "accounted-B/stream")
	runtime.KeepAlive(s)
}

func heapBytes() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
