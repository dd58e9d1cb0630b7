package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// rule makes a read cheaper and leaves the answer as it is. The order of rules is theirs in the list below; each works on
// what those before it left, and does without any of them.
type rule struct {
	name  string
	apply func(r *read)
}

// rulesBefore work on stages, before these are compiled. The pipeline then tells what it reads of an entry, for rulesBehind.
var (
	rulesBefore = []rule{
		{"idle", dropIdle},
		{"streams", narrowStreams},
		{"lines", pushLines},
		{"patterns", pushPatterns},
		{"metadata", pushMetadata},
		{"implied", implyLines},
	}
	rulesBehind = []rule{
		{"columns", narrowColumns},
		{"limit", pushLimit},
	}
)

// ruleCount is the last one. It makes another node of a Range.
const ruleCount = "count"

// AllRules stands for every rule, in Options.Without.
const AllRules = "all"

// Rules returns the names of all rules, in their order.
func Rules() []string {
	var names []string
	for _, r := range slices.Concat(rulesBefore, rulesBehind) {
		names = append(names, r.name)
	}
	return append(names, ruleCount)
}

// Options says how to plan. The zero value is how queries are planned; anything else is for those who want to see what a
// rule is worth, or that it changes no answer.
type Options struct {
	Without []string // rules to leave out
}

func (o Options) check() error {
	for _, name := range o.Without {
		if name != AllRules && !slices.Contains(Rules(), name) {
			return fmt.Errorf("there is no rule %q, only %s", name, strings.Join(Rules(), ", "))
		}
	}
	return nil
}

func (o Options) uses(name string) bool {
	return !slices.Contains(o.Without, name) && !slices.Contains(o.Without, AllRules)
}

// read is one read of the store, and what becomes of its entries, while it is planned.
type read struct {
	selector []*labels.Matcher
	metric   *syntax.RangeAggregation // nil: lines are asked for
	group    Group                    // of a metric

	stages   []syntax.Stage // that are left for the pipeline
	compiled *pipeline.Pipeline
	scans    []Scan // of disjoint sets of streams, together all; one until rulesBehind
	narrowed comparisons
	limited  bool
}

// newRead begins with everything: all columns of all entries that the selector selects, through all stages.
func newRead(e *syntax.LogExpr) *read {
	return &read{
		selector: e.Matchers,
		stages:   e.Stages,
		scans:    []Scan{{Matchers: e.Matchers, Columns: storage.ColumnLine | storage.ColumnLevel | storage.ColumnMetadata}},
	}
}

// measuresLines reports whether the metric adds up bytes of lines.
func (r *read) measuresLines() bool {
	return r.metric != nil && (r.metric.Op == syntax.OpBytesOverTime || r.metric.Op == syntax.OpBytesRate)
}

// wanted is what is read of an entry behind the pipeline.
func (r *read) wanted() pipeline.Needs {
	if r.metric == nil {
		return pipeline.Needs{Line: true, AllNames: true}
	}
	var wanted pipeline.Needs
	r.group.addNeeds(&wanted)
	return wanted
}

// apply applies the rules and compiles the stages that are left.
func (o Options) apply(r *read) (err error) {
	if r.measuresLines() {
		r.scans[0].Columns |= storage.ColumnLineBytes
	}
	o.run(rulesBefore, r)
	options := pipeline.Options{Wanted: r.wanted()}
	if r.metric != nil {
		options.Unwrap = r.metric.Unwrap
	}
	if r.compiled, err = pipeline.Compile(r.stages, options); err != nil {
		return err
	}
	o.run(rulesBehind, r)
	return nil
}

func (o Options) run(rules []rule, r *read) {
	for _, rule := range rules {
		if o.uses(rule.name) {
			rule.apply(r)
		}
	}
}
