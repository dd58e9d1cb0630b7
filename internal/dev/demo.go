package dev

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// demoSource is one stream of the demo logs.
type demoSource struct {
	labels map[string]string
	line   func(r *rand.Rand, at time.Time) string
	weight int // lines it writes, relative to the others
}

var demoSources = []demoSource{
	{demoLabels("shop", "checkout", "stdout"), demoJSON("order placed", "info"), 6},
	{demoLabels("shop", "checkout", "stderr"), demoJSON("payment provider timeout, will retry", "error"), 1},
	{demoLabels("shop", "catalog", "stdout"), demoLogfmt("cache lookup", "debug"), 4},
	{demoLabels("shop", "catalog", "stderr"), demoLogfmt("slow query", "warn"), 1},
	{demoLabels("edge", "nginx", "stdout"), demoAccess, 8},
	{demoLabels("edge", "nginx", "stderr"), demoNginxError, 1},
}

func demoLabels(namespace, app, stream string) map[string]string {
	return map[string]string{"namespace": namespace, "app": app, "container": app, "stream": stream, "job": "demo"}
}

func demoJSON(msg, level string) func(*rand.Rand, time.Time) string {
	return func(r *rand.Rand, _ time.Time) string {
		return fmt.Sprintf(`{"level":%q,"msg":%q,"order":%d,"customer":"c-%05d","duration_ms":%d,"trace_id":"%016x%016x"}`,
			level, msg, 100000+r.IntN(900000), r.IntN(20000), 3+r.IntN(900), r.Uint64(), r.Uint64())
	}
}

func demoLogfmt(msg, level string) func(*rand.Rand, time.Time) string {
	return func(r *rand.Rand, at time.Time) string {
		return fmt.Sprintf("ts=%s level=%s caller=store.go:%d msg=%q key=product/%d hit=%t duration=%dms",
			at.UTC().Format(time.RFC3339Nano), level, 40+r.IntN(200), msg, r.IntN(5000), r.IntN(4) > 0, 1+r.IntN(400))
	}
}

func demoAccess(r *rand.Rand, at time.Time) string {
	paths := [...]string{"/", "/cart", "/api/products", "/api/orders", "/static/app.js", "/healthz"}
	codes := [...]int{200, 200, 200, 200, 304, 404, 500}
	return fmt.Sprintf(`10.0.%d.%d - - [%s] "GET %s HTTP/1.1" %d %d "-" "Mozilla/5.0" %.3f`, r.IntN(8), r.IntN(255),
		at.UTC().Format("02/Jan/2006:15:04:05 -0700"), paths[r.IntN(len(paths))], codes[r.IntN(len(codes))], r.IntN(40000), r.Float64())
}

func demoNginxError(r *rand.Rand, at time.Time) string {
	return fmt.Sprintf("%s [error] 31#31: *%d upstream timed out (110: Connection timed out) while reading response header from upstream, client: 10.0.1.%d",
		at.UTC().Format("2006/01/02 15:04:05"), r.IntN(100000), r.IntN(255))
}

type demoStream struct {
	Stream map[string]string `json:"stream"`
	Values [][2]string       `json:"values"`
}

// demo pushes logs to a Woodshed: an hour of history at once, then a few lines a second until ctx ends.
type demo struct {
	pushURL string
	client  *http.Client
	rng     *rand.Rand
}

func newDemo(pushURL string) *demo {
	return &demo{pushURL: pushURL, client: &http.Client{Timeout: 30 * time.Second}, rng: rand.New(rand.NewPCG(7, 11))}
}

// history pushes n lines spread over the hour before now.
func (d *demo) history(ctx context.Context, now time.Time, n int) error {
	step := time.Hour / time.Duration(n)
	streams := d.streams()
	for i := range n {
		d.add(streams, now.Add(-time.Hour+time.Duration(i)*step))
	}
	return d.push(ctx, streams)
}

// live pushes about ten lines a second until ctx ends. A refused or failed push is told and tried again with new lines:
// demo logs are not worth more.
func (d *demo) live(ctx context.Context, out io.Writer) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			streams := d.streams()
			for i := range 10 {
				d.add(streams, now.Add(time.Duration(i)*time.Millisecond))
			}
			if err := d.push(ctx, streams); err != nil && ctx.Err() == nil {
				fmt.Fprintf(out, "demo logs: %v\n", err)
			}
		}
	}
}

func (d *demo) streams() []demoStream {
	streams := make([]demoStream, len(demoSources))
	for i, src := range demoSources {
		streams[i].Stream = src.labels
	}
	return streams
}

func (d *demo) add(streams []demoStream, at time.Time) {
	total := 0
	for _, src := range demoSources {
		total += src.weight
	}
	pick := d.rng.IntN(total)
	for i, src := range demoSources {
		if pick -= src.weight; pick < 0 {
			streams[i].Values = append(streams[i].Values, [2]string{strconv.FormatInt(at.UnixNano(), 10), src.line(d.rng, at)})
			return
		}
	}
}

func (d *demo) push(ctx context.Context, streams []demoStream) error {
	body, err := json.Marshal(map[string]any{"streams": streams})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.pushURL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("push answered %s: %s", resp.Status, text)
	}
	return nil
}
