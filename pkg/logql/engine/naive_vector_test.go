package engine_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/logqltest"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// element is a series at one instant.
type element struct {
	labels labels.Labels
	value  float64
}

// vectorQuery is a query over one or two others, and what its text says.
type vectorQuery struct {
	text  string
	left  string
	right string // "": the query is of left alone
	naive func(left, right []element) (answer []element, failure string)
}

func label(ls labels.Labels, names []string, keep bool) string {
	return ls.MatchLabels(keep, names...).String()
}

// naiveTopK ranks by sorting everything.
func naiveTopK(k int, smallest bool, by []string) func(in, _ []element) ([]element, string) {
	return func(in, _ []element) ([]element, string) {
		in = slices.Clone(in)
		slices.SortFunc(in, func(a, b element) int {
			order := cmp.Compare(b.value, a.value)
			if smallest {
				order = -order
			}
			if math.IsNaN(a.value) != math.IsNaN(b.value) {
				order = 1
				if math.IsNaN(b.value) {
					order = -1
				}
			}
			return cmp.Or(order, labels.Compare(a.labels, b.labels))
		})
		seen := map[string]int{}
		return slices.DeleteFunc(in, func(e element) bool {
			group := label(e.labels, by, true)
			seen[group]++
			return seen[group] > k
		}), ""
	}
}

// naiveSet compares each with each.
func naiveSet(op string, matches func(a, b labels.Labels) bool) func(l, r []element) ([]element, string) {
	found := func(e element, in []element) bool {
		return slices.ContainsFunc(in, func(o element) bool { return matches(e.labels, o.labels) })
	}
	return func(l, r []element) ([]element, string) {
		var out []element
		for _, e := range l {
			if op == "or" || found(e, r) == (op == "and") {
				out = append(out, e)
			}
		}
		for _, e := range r {
			if op == "or" && !found(e, l) {
				out = append(out, e)
			}
		}
		return out, ""
	}
}

// naiveMatch pairs each of the many side with each of the one side. result makes the labels.
func naiveMatch(op func(l, r float64) (float64, bool), card string, matches func(a, b labels.Labels) bool, result func(many, one labels.Labels) labels.Labels) func(l, r []element) ([]element, string) {
	return func(l, r []element) ([]element, string) {
		many, one, side := l, r, "right"
		if card == "group_right" {
			many, one, side = r, l, "left"
		}
		for i, a := range one {
			for _, b := range one[:i] {
				if matches(a.labels, b.labels) {
					return nil, "found duplicate series on the " + side + " hand-side"
				}
			}
		}
		var out []element
		made := map[string]bool{}
		for _, m := range many {
			for _, o := range one {
				if !matches(m.labels, o.labels) {
					continue
				}
				ls := result(m.labels, o.labels)
				if made[ls.String()] {
					return nil, "multiple matches for labels"
				}
				made[ls.String()] = true
				x, y := m.value, o.value
				if card == "group_right" {
					x, y = y, x
				}
				if v, keep := op(x, y); keep {
					out = append(out, element{labels: ls, value: v})
				}
			}
		}
		return out, ""
	}
}

var drawnGroups = [][]string{{}, {"app"}, {"zone"}, {"app", "zone"}, {"detected_level", "zone"}}

func drawVectorQuery(t *rapid.T) vectorQuery {
	operand := func(name string) string {
		by := strings.Join(rapid.SampledFrom(drawnGroups).Draw(t, name+" group"), ", ")
		operand := fmt.Sprintf(`sum by (%s) (count_over_time({app=~".+"}[%ds]))`, by, rapid.IntRange(1, 30).Draw(t, name+" range"))
		if rapid.Bool().Draw(t, name+" NaN") {
			operand = fmt.Sprintf("%s / (%s != bool 2)", operand, operand) // what is 2 becomes NaN
		}
		return operand
	}
	q := vectorQuery{left: operand("left")}
	if rapid.Bool().Draw(t, "topk") {
		k, by, op := rapid.IntRange(1, 4).Draw(t, "k"), rapid.SampledFrom(drawnGroups).Draw(t, "by"), rapid.SampledFrom([]string{"topk", "bottomk"}).Draw(t, "op")
		q.text = fmt.Sprintf("%s by (%s) (%d, %s)", op, strings.Join(by, ", "), k, q.left)
		q.naive = naiveTopK(k, op == "bottomk", by)
		return q
	}
	q.right = operand("right")
	names, on := rapid.SampledFrom(drawnGroups).Draw(t, "matching"), rapid.Bool().Draw(t, "on")
	matches := func(a, b labels.Labels) bool { return label(a, names, on) == label(b, names, on) }
	modifier := fmt.Sprintf("ignoring (%s)", strings.Join(names, ", "))
	if on {
		modifier = fmt.Sprintf("on (%s)", strings.Join(names, ", "))
	}
	op := rapid.SampledFrom([]string{"and", "or", "unless", "-", ">", "> bool"}).Draw(t, "op")
	switch op {
	case "and", "or", "unless":
		q.text = fmt.Sprintf("(%s) %s %s (%s)", q.left, op, modifier, q.right)
		q.naive = naiveSet(op, matches)
		return q
	}
	card := rapid.SampledFrom([]string{"", "group_left", "group_right"}).Draw(t, "card")
	result := func(many, _ labels.Labels) labels.Labels { return many.MatchLabels(on, names...) }
	if card != "" {
		include := rapid.SampledFrom([]string{"", "zone", "app"}).Draw(t, "include")
		modifier += fmt.Sprintf(" %s (%s)", card, include)
		result = func(many, one labels.Labels) labels.Labels {
			if include == "" {
				return many
			}
			return labels.NewBuilder(many).Set(include, one.Get(include)).Labels()
		}
	}
	word, boolean, _ := strings.Cut(op, " ")
	q.text = fmt.Sprintf("(%s) %s %s %s (%s)", q.left, word, boolean, modifier, q.right)
	q.naive = naiveMatch(map[string]func(l, r float64) (float64, bool){
		"-": func(l, r float64) (float64, bool) { return l - r, true },
		">": func(l, r float64) (float64, bool) { return l, l > r },
		"> bool": func(l, r float64) (float64, bool) {
			if l > r {
				return 1, true
			}
			return 0, true
		},
	}[op], card, matches, result)
	return q
}

// Rankings, sets and matching answer at every step what comparing each series with each answers.
func TestVectorProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		streams, q := drawStreams(t), drawVectorQuery(t)
		e, err := engine.New(engine.Config{Querier: logqltest.NewSlowStore(streams...)})
		require.NoError(t, err)
		at := func(query string, at model.Timestamp) []element {
			res, err := e.Exec(t.Context(), engine.Params{Query: query, End: at, Instant: true})
			require.NoError(t, err, query)
			var list []element
			for _, s := range res.Series {
				list = append(list, element{labels: s.Labels, value: s.Samples[0].Value})
			}
			return list
		}
		p := engine.Params{Query: q.text, End: 60 * sec, Step: time.Duration(rapid.IntRange(1, 20).Draw(t, "step")) * time.Second}
		res, err := e.Exec(t.Context(), p)
		failed := ""
		total := 0
		for now := p.Start; now <= p.End; now = now.Add(p.Step) {
			var right []element
			if q.right != "" {
				right = at(q.right, now)
			}
			want, failure := q.naive(at(q.left, now), right)
			failed = cmp.Or(failed, failure)
			total += len(want)
			if err != nil {
				continue
			}
			for _, e := range want {
				i := slices.IndexFunc(res.Series, func(s engine.Series) bool { return labels.Equal(s.Labels, e.labels) })
				require.GreaterOrEqual(t, i, 0, "%s at %v lacks %s", p.Query, now, e.labels)
				require.Contains(t, texts(res.Series[i].Samples), texts([]engine.Sample{{Timestamp: now, Value: e.value}})[0], "%s: %s", p.Query, e.labels)
			}
		}
		if err != nil {
			// Of several faults any may be told; sets of equal labels that are made by group_left are told at the end.
			require.NotEmpty(t, failed, "%s: %s", p.Query, err)
			return
		}
		require.Empty(t, failed, p.Query)
		for _, s := range res.Series {
			total -= len(s.Samples)
		}
		require.Zero(t, total, "%s has samples that should not be", p.Query)
	})
}

// texts writes samples so that what is not a number equals itself.
func texts(samples []engine.Sample) []string {
	var list []string
	for _, s := range samples {
		list = append(list, fmt.Sprintf("%d %g", s.Timestamp, s.Value))
	}
	return list
}
