package chunk

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// corpus makes lines of one kind of log, deterministically.
type corpus struct {
	name string
	line func(rng *rand.Rand, at time.Time) string
}

var corpora = []corpus{
	{"json", jsonLine}, {"logfmt", logfmtLine}, {"access", accessLine}, {"hdfs", hdfsLine}, {"text", textLine}, {"jwt", jwtLine},
}

func oneOf(rng *rand.Rand, list ...string) string { return list[rng.IntN(len(list))] }

// skewed picks low numbers more often, as users and paths are.
func skewed(rng *rand.Rand, n int) int { return int(rng.ExpFloat64()*float64(n)/6) % n }

func hexID(rng *rand.Rand, digits int) string {
	return fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())[:digits]
}

func uuid(rng *rand.Rand) string {
	h := hexID(rng, 32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

const messagesText = `request handled|cache miss, loading from store|retrying after a temporary failure|user signed in|` +
	`payment authorised by the provider|queue drained|connection to upstream reset by peer|configuration reloaded|` +
	`slow query detected on replica|certificate will expire soon|leader election lost|snapshot written to disk|` +
	`rate limit exceeded for tenant|circuit breaker opened|deadline exceeded while reading body|worker pool resized`

var messages = strings.Split(messagesText, "|")

func jsonLine(rng *rand.Rand, at time.Time) string {
	return fmt.Sprintf(`{"ts":"%s","level":"%s","msg":"%s","trace_id":"%s","span_id":"%s","user":"user-%d","path":"/api/v1/items/%d",`+
		`"status":%d,"duration_ms":%d,"caller":"server/handler.go:%d","request":"%s"}`, at.Format("2006-01-02T15:04:05.000000Z"),
		oneOf(rng, "info", "info", "debug", "warn", "error"), oneOf(rng, messages...), hexID(rng, 32), hexID(rng, 16), skewed(rng, 900),
		rng.IntN(5000), 200+100*rng.IntN(4), skewed(rng, 900), 10+skewed(rng, 400), uuid(rng))
}

func logfmtLine(rng *rand.Rand, at time.Time) string {
	return fmt.Sprintf(`ts=%s caller=metrics.go:%d level=%s org_id=%d traceID=%s latency=%s msg="%s" query_hash=%d duration=%d.%06dms `+
		`status=%d throughput=%.1fMB total_bytes=%d`, at.Format("2006-01-02T15:04:05.000000000Z"), 50+skewed(rng, 200),
		oneOf(rng, "info", "warn"), skewed(rng, 50), hexID(rng, 16), oneOf(rng, "fast", "slow"), oneOf(rng, messages...), rng.Uint32(),
		skewed(rng, 3000), rng.IntN(1e6), 200+100*rng.IntN(4), rng.ExpFloat64()*80, rng.IntN(1e8))
}

func accessLine(rng *rand.Rand, at time.Time) string {
	return fmt.Sprintf(`%d.%d.%d.%d - - [%s] "%s /%s/%d HTTP/1.1" %d %d "-" "%s" %.3f`, 1+rng.IntN(220), rng.IntN(256), rng.IntN(256),
		rng.IntN(256), at.Format("02/Jan/2006:15:04:05 -0700"), oneOf(rng, "GET", "GET", "POST"),
		oneOf(rng, "index", "static/app", "api/v2/orders", "api/v2/carts", "login"), skewed(rng, 2000), 200+100*rng.IntN(4),
		skewed(rng, 90000), oneOf(rng, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
			"curl/8.5.0", "kube-probe/1.31", "Go-http-client/2.0"), rng.ExpFloat64())
}

func hdfsLine(rng *rand.Rand, at time.Time) string {
	return fmt.Sprintf(`%s %d INFO dfs.DataNode$%s: %s block blk_%d src: /10.25%d.%d.%d:%d dest: /10.251.%d.%d:50010`,
		at.Format("060102 150405"), rng.IntN(3000), oneOf(rng, "DataXceiver", "PacketResponder", "BlockReceiver"),
		oneOf(rng, "Receiving", "Received", "Deleting", "Serving"), int64(rng.Uint64()), rng.IntN(2), rng.IntN(256), rng.IntN(256),
		30000+rng.IntN(30000), rng.IntN(256), rng.IntN(256))
}

// textLine is classic text, now and then with a stack trace in the same entry.
func textLine(rng *rand.Rand, at time.Time) string {
	line := fmt.Sprintf("%s %s [worker-%d] %s - %s for order %d", at.Format("2006-01-02 15:04:05,000"),
		oneOf(rng, "INFO", "WARN", "ERROR"), rng.IntN(16), oneOf(rng, "com.example.shop.OrderService", "org.acme.batch.Runner", "o.a.io.Pool"),
		oneOf(rng, messages...), rng.IntN(1e6))
	if rng.IntN(20) > 0 {
		return line
	}
	line += "\njava.lang.IllegalStateException: the order is closed"
	for range 4 + rng.IntN(6) {
		line += fmt.Sprintf("\n\tat %s.%s(Handler.java:%d)", oneOf(rng, "com.example.shop.Handler", "org.acme.io.Pool", "java.lang.Thread"),
			oneOf(rng, "handle", "run", "lambda$0"), 20+rng.IntN(900))
	}
	return line
}

// jwtLine is mostly random letters: the worst for the size of a filter.
func jwtLine(rng *rand.Rand, at time.Time) string {
	b := make([]byte, 200)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[rng.IntN(64)]
	}
	return fmt.Sprintf(`%s level=info msg="token issued" sub=user-%d token=eyJhbGciOiJIUzI1NiJ9.%s.%s`, at.Format(time.RFC3339),
		rng.IntN(1000), b[:150], b[150:])
}

// hostileLine is made of what the rules for keys depend on.
func hostileLine(rng *rand.Rand, _ time.Time) string {
	pieces := []string{"a", "b", "k", "S", "t", "Z", "T", "0", "1", "7", ".", ".", "_", "-", " ", "\n", "\xff", "\u212a", "\u017f",
		"é", "abcde", "1.2.3.4", "10.20.30.40", "deadbeef12", "2026-11-23T12", "0123456789", "error", "Kelvin", "x9", "\x00", "\xe2\x84"}
	var b strings.Builder
	for range rng.IntN(24) {
		b.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return b.String()
}

// lines makes about size bytes of lines.
func (c corpus) lines(seed uint64, size int) []string {
	rng := rand.New(rand.NewPCG(seed, 42))
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).Add(time.Duration(seed) * time.Hour)
	var out []string
	for n := 0; n < size; n += len(out[len(out)-1]) + 1 {
		at = at.Add(time.Duration(rng.ExpFloat64() * 10e6))
		out = append(out, c.line(rng, at))
	}
	return out
}

// rowsOfLines fills rows with lines, up to what a chunk takes.
func rowsOfLines(lines []string) *Rows {
	r := &Rows{}
	for i, line := range lines {
		e := model.Entry{Timestamp: model.Timestamp(i), Line: line}
		if !r.Fits(e) {
			break
		}
		r.Append(e)
	}
	return r
}
