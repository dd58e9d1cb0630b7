package lokiapi

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// sink takes pushes and remembers nothing.
type sink struct{ *store }

func (sink) Push(context.Context, model.TenantID, *wire.Request) error { return nil }

func newBenchAPI(b *testing.B) *API {
	b.Helper()
	s := sink{&store{}}
	a, err := New(Config{}, Deps{Pusher: s, Executor: s, Querier: s, Reporter: s})
	require.NoError(b, err)
	return a
}

// nowhere is a response that goes nowhere.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header       { return w.header }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

// The edge alone: read the body, decode it, answer.
func BenchmarkPush(b *testing.B) {
	for _, lines := range []int{10, 5000} {
		b.Run(fmt.Sprintf("lines=%d", lines), func(b *testing.B) {
			a := newBenchAPI(b)
			var list []string
			for i := range lines {
				list = append(list, fmt.Sprintf("level=info msg=\"request %d served\" duration=%dms path=/api/v1/orders/%d trace=%032x", i, i%500, i*7, i))
			}
			body := protoBody(b, `{app="api", env="prod"}`, list...)
			b.SetBytes(int64(len(strings.Join(list, ""))))
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, pushPath, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/x-protobuf")
				a.ServeHTTP(nowhere{http.Header{}}, r)
			}
		})
	}
}

func BenchmarkEncodeStreams(b *testing.B) {
	res := &engine.Result{}
	ls := lsets(`{app="api", env="prod", pod="api-1"}`, `{app="web", env="prod", pod="web-1"}`)
	size := 0
	for i := range 5000 {
		e := engine.Entry{
			Timestamp: model.Timestamp(1700000000_000000000 + i), Labels: ls[i%2],
			Line:     fmt.Sprintf(`{"level":"info","msg":"request %d served","path":"/api/v1/orders/%d","trace":"%032x"}`, i, i*7, i),
			Metadata: []model.Pair{{Name: "detected_level", Value: "info"}, {Name: "trace_id", Value: fmt.Sprintf("%032x", i)}},
		}
		size += len(e.Line)
		res.Entries = append(res.Entries, e)
	}
	for _, categorize := range []bool{false, true} {
		b.Run(fmt.Sprintf("categorize=%t/entries=5000", categorize), func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, rangePath, nil)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, respond(nowhere{http.Header{}}, r, func(an *answer) { an.result(res, categorize) }))
			}
		})
	}
}
