package index

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

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

// BenchmarkResolve/…/streams=100000 on a real file and in memory.
func BenchmarkResolve(b *testing.B) {
	s := benchSource()
	path := filepath.Join(b.TempDir(), "index.db")
	data := buildBytes(b, b.TempDir(), s)
	require.NoError(b, os.WriteFile(path, data, 0o600))
	file, err := os.Open(path)
	require.NoError(b, err)
	d, err := Open(file, int64(len(data)), crc32.Checksum(data, castagnoli))
	require.NoError(b, err)
	defer func() { require.NoError(b, d.Close()) }()
	inMemory, _, err := openBytes(bytes.Clone(data), len(data), crc32.Checksum(data, castagnoli))
	require.NoError(b, err)
	readers := []struct {
		name string
		r    Reader
	}{{"disk", d}, {"diskInMemory", inMemory}, {"mem", memOf(s.Streams).Snapshot()}}
	for _, q := range []struct {
		name string
		ms   []*labels.Matcher
	}{
		{"app=x", []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "app-7")}},
		{"pod=unique", []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "pod", s.Streams[4711].Get("pod"))}},
		{"app=x,ns=y,pod!=z", []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "app-7"),
			labels.MustNewMatcher(labels.MatchEqual, "namespace", "ns-7"), labels.MustNewMatcher(labels.MatchNotEqual, "pod", "z")}},
		{"pod=~prefix", []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "pod", "app-77-.*")}},
		{"pod=~alternation", []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "pod", "(app-7|app-8)-.*")}},
		{"pod=~contains", []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "pod", ".*abc.*")}},
		{"pod=~class", []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "pod", ".*-[0-9]{3}7[0-9]")}},
	} {
		for _, r := range readers {
			b.Run(fmt.Sprintf("%s/%s/streams=100k", r.name, q.name), func(b *testing.B) {
				b.ReportAllocs()
				start := time.Duration(0)
				for b.Loop() {
					if start == 0 {
						start = cpuTime(b)
					}
					if _, err := Resolve(r.r, q.ms); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

func BenchmarkLabelValues(b *testing.B) {
	s := benchSource()
	data := buildBytes(b, b.TempDir(), s)
	d, _, err := openBytes(data, len(data), crc32.Checksum(data, castagnoli))
	require.NoError(b, err)
	refs, err := Resolve(d, []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "app-7")})
	require.NoError(b, err)
	for b.Loop() {
		if v, err := LabelValues(d, "pod", refs); err != nil || len(v) != 1000 {
			b.Fatal(len(v), err)
		}
	}
}

func BenchmarkMemAdd(b *testing.B) {
	s := benchSource()
	var m *Mem
	for b.Loop() {
		m = memOf(s.Streams)
	}
	b.ReportMetric(float64(m.MemoryBytes())/benchStreams, "B/stream")
}
