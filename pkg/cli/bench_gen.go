package cli

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// corpus describes generated logs. The same corpus and number of clients give the same lines, times apart.
type corpus struct {
	seed    uint64
	lines   int
	streams int
	start   time.Time
	span    time.Duration
	kind    int // index in formats when all lines are of one format, else everyKind
}

// everyKind mixes all formats by their shares.
const everyKind = -1

// What is hidden in the corpus, for queries whose true answer is known.
const (
	needleWord  = "quetzalcoatl"
	needleLines = 3
	needleTrace = "feedfacecafebeef0123456789abcdef"
	traceLines  = 7
)

// format is a kind of line with its share of the corpus in percent, as in the comparison with other log stores.
type format struct {
	name  string
	share int
	apps  []string
	line  func(g *generator, at time.Time)
	trace bool // most entries carry trace_id as structured metadata
}

var formats = []format{
	{"json", 30, []string{"checkout", "cart", "search", "billing", "login"}, (*generator).json, true},
	{"logfmt", 25, []string{"gateway", "catalog", "stock", "mailer"}, (*generator).logfmt, true},
	{"access", 20, []string{"nginx", "envoy"}, (*generator).access, false},
	{"text", 25, []string{"batch", "legacy", "kernel"}, (*generator).text, false},
}

// generator writes one client's part of a corpus.
type generator struct {
	corpus
	rng     *rand.Rand
	buf     []byte
	trace   string
	rename  func(line int) string // labels of a line, instead of those of its format; nil: as they are
	byKind  [][]string            // the client's streams of each format
	client  int
	clients int
	next    int
	total   int
}

// newGenerator returns the part of a client. Every client has streams of its own, of every format.
func newGenerator(c corpus, client, clients int) *generator {
	g := &generator{corpus: c, rng: rand.New(rand.NewPCG(c.seed, uint64(client))), client: client, clients: clients}
	g.total = c.lines / clients
	if client < c.lines%clients {
		g.total++
	}
	g.byKind = make([][]string, len(formats))
	for s := client; s < c.streams; s += clients {
		n := s / clients // the client's own count
		kind := kindOf(n)
		if c.kind != everyKind {
			kind = c.kind
		}
		f := formats[kind]
		app := f.apps[n%len(f.apps)]
		g.byKind[kind] = append(g.byKind[kind], fmt.Sprintf(`{app=%q, cluster="eu-1", format=%q, namespace=%q, pod="%s-%d", stream=%q}`,
			app, f.name, [...]string{"prod", "staging", "dev"}[n%3], app, s, [...]string{"stdout", "stdout", "stdout", "stderr"}[n%4]))
	}
	return g
}

// kindOf spreads a client's streams over the formats by their shares; the first ones get one each.
func kindOf(n int) int {
	if n < len(formats) {
		return n
	}
	at := n * 37 % 100 // 37 and 100 have no common divisor: all shares are visited evenly
	for kind, f := range formats {
		if at < f.share {
			return kind
		}
		at -= f.share
	}
	return 0
}

// fill adds lines to a body until it holds batchBytes of them. It returns false at the end of the corpus.
func (g *generator) fill(b *pushBody, batchBytes int) bool {
	for b.lineBytes < batchBytes {
		if g.next >= g.total {
			return b.lines > 0
		}
		g.one(b)
	}
	return true
}

// one adds the next line. Times rise evenly over the span, each client's on nanoseconds of its own.
func (g *generator) one(b *pushBody) {
	at := g.start.Add(time.Duration(float64(g.span) * float64(g.next) / float64(g.total)).Truncate(time.Microsecond)).Add(time.Duration(g.client))
	kind := g.pick()
	f := formats[kind]
	streams := g.byKind[kind]
	u := g.rng.Float64()
	stream := streams[int(u*u*float64(len(streams)))] // few loud streams, many quiet ones
	if g.rename != nil {
		stream = g.rename(g.next)
	}
	g.trace = g.hex(32)
	g.buf = g.buf[:0]
	f.line(g, at)
	g.hide(kind)
	if f.trace && (g.trace == needleTrace || g.rng.IntN(10) < 8) {
		b.add(stream, at.UnixNano(), g.buf, pair{"trace_id", g.trace})
	} else {
		b.add(stream, at.UnixNano(), g.buf)
	}
	g.next++
}

func (g *generator) pick() int {
	if g.kind != everyKind {
		return g.kind
	}
	if g.hidden() {
		return 0 // json carries metadata
	}
	at := g.rng.IntN(100)
	for kind, f := range formats {
		if at < f.share {
			return kind
		}
		at -= f.share
	}
	return 0
}

// hidden reports whether the next line is one of those that are searched for. The first client has them all.
func (g *generator) hidden() bool {
	return g.client == 0 && (g.slot(needleLines) || g.slot(traceLines))
}

// slot spreads n lines evenly over the client's part.
func (g *generator) slot(n int) bool {
	every := g.total / (n + 1)
	return every > 0 && g.next > 0 && g.next%every == 0 && g.next/every <= n
}

func (g *generator) hide(kind int) {
	if g.client != 0 || kind != 0 {
		return
	}
	if g.slot(needleLines) {
		g.buf = append(g.buf[:len(g.buf)-1], `,"note":"the `+needleWord+` was seen"}`...)
	}
}

var (
	levels   = [...]string{"debug", "info", "info", "info", "info", "info", "info", "warn", "warn", "error"}
	methods  = [...]string{"GET", "GET", "GET", "POST", "PUT", "DELETE"}
	paths    = [...]string{"/api/v1/orders", "/api/v1/items", "/cart", "/login", "/static/app.js", "/healthz", "/api/v1/users"}
	statuses = [...]int{200, 200, 200, 200, 200, 201, 204, 301, 304, 400, 404, 500, 503}
	messages = [...]string{"request served", "cache miss, reading from the store", "connection accepted from upstream", "retrying after timeout",
		"queue length above its soft limit", "payment provider answered slowly", "user session renewed", "background job finished",
		"row locked by another transaction", "configuration reloaded", "upstream closed the connection", "item reserved in stock"}
	agents = [...]string{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15", "curl/8.14.1", "Go-http-client/2.0", "kube-probe/1.33", "okhttp/4.12.0"}
	classes = [...]string{"com.example.shop.OrderService", "com.example.shop.stock.Reserver", "org.acme.batch.Runner", "org.acme.io.Pool"}
)

func choose[T any](g *generator, list []T) T { return list[g.rng.IntN(len(list))] }

func (g *generator) json(at time.Time) {
	b := append(g.buf, `{"ts":"`...)
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(append(append(b, `","level":"`...), choose(g, levels[:])...), `","msg":"`...)
	b = append(append(append(b, choose(g, messages[:])...), `","method":"`...), choose(g, methods[:])...)
	b = append(append(append(b, `","path":"`...), choose(g, paths[:])...), '/')
	b = strconv.AppendInt(b, int64(g.rng.IntN(100_000)), 10)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(choose(g, statuses[:])), 10)
	b = append(b, `,"duration_ms":`...)
	b = strconv.AppendFloat(b, g.rng.ExpFloat64()*40, 'f', 2, 64)
	b = append(b, `,"customer":"c-`...)
	b = strconv.AppendInt(b, int64(g.rng.IntN(50_000)), 10)
	g.buf = append(append(append(b, `","trace_id":"`...), g.trace...), `"}`...)
}

func (g *generator) logfmt(at time.Time) {
	b := append(g.buf, "ts="...)
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(append(append(b, " level="...), choose(g, levels[:])...), " caller=server.go:"...)
	b = strconv.AppendInt(b, int64(10+g.rng.IntN(400)), 10)
	b = append(append(append(b, ` msg="`...), choose(g, messages[:])...), `" key=item/`...)
	b = strconv.AppendInt(b, int64(g.rng.IntN(80_000)), 10)
	b = append(b, " duration="...)
	b = strconv.AppendFloat(b, g.rng.ExpFloat64()*25, 'f', 3, 64)
	g.buf = append(append(b, "ms traceID="...), g.trace...)
}

func (g *generator) access(at time.Time) {
	b := append(g.buf, "10."...)
	for i := range 3 {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(g.rng.IntN(256)), 10)
	}
	b = append(b, " - - ["...)
	b = at.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(append(append(append(b, `] "`...), choose(g, methods[:])...), ' '), choose(g, paths[:])...)
	b = append(b, '/')
	b = strconv.AppendInt(b, int64(g.rng.IntN(3000)), 10)
	b = append(b, ` HTTP/1.1" `...)
	b = strconv.AppendInt(b, int64(choose(g, statuses[:])), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(g.rng.IntN(60_000)), 10)
	b = append(append(append(b, ` "-" "`...), choose(g, agents[:])...), `" `...)
	b = strconv.AppendFloat(b, g.rng.ExpFloat64()*0.05, 'f', 3, 64)
	g.buf = append(append(b, ' '), g.digits(16)...)
}

func (g *generator) text(at time.Time) {
	b := at.UTC().AppendFormat(g.buf, "2006-01-02 15:04:05,000 ")
	level := choose(g, levels[:])
	b = append(append(append(b, level...), " [worker-"...), byte('0'+g.rng.IntN(10)))
	b = append(append(append(b, "] "...), choose(g, classes[:])...), " - "...)
	b = append(b, choose(g, messages[:])...)
	if g.rng.IntN(10) < 3 {
		b = g.uuid(append(b, " request="...))
	}
	b = append(b, " for order "...)
	b = strconv.AppendInt(b, int64(g.rng.IntN(1_000_000)), 10)
	if level == "error" && g.rng.IntN(4) == 0 {
		b = append(b, "\njava.lang.IllegalStateException: the order is closed"...)
		for range 4 + g.rng.IntN(6) {
			b = append(append(append(b, "\n\tat "...), choose(g, classes[:])...), ".handle(Handler.java:"...)
			b = strconv.AppendInt(b, int64(20+g.rng.IntN(900)), 10)
			b = append(b, ')')
		}
	}
	g.buf = b
}

// hex is a trace id.
func (g *generator) hex(n int) string {
	if g.client == 0 && g.slot(traceLines) {
		return needleTrace[:n]
	}
	return g.digits(n)
}

// digits are random hexadecimal ones.
func (g *generator) digits(n int) string {
	b := make([]byte, 0, 32)
	for len(b) < n {
		v := g.rng.Uint64()
		for range 16 {
			b = append(b, "0123456789abcdef"[v&0xf])
			v >>= 4
		}
	}
	return string(b[:n])
}

// uuid appends a random id with dashes.
func (g *generator) uuid(b []byte) []byte {
	for i, n := range [...]int{8, 4, 4, 4, 12} {
		if i > 0 {
			b = append(b, '-')
		}
		b = append(b, g.digits(n)...)
	}
	return b
}
