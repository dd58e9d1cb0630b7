package limits

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	// retentionMin is the least that logs can be kept: blocks hold a UTC day, so less could not be told from nothing.
	retentionMin      = Duration(24 * time.Hour)
	retentionRulesMax = 1000 // of one tenant; each is tried on every stream of a block
	selectorBytesMax  = 4096
)

// StreamRetention is one rule of retention_stream, as it is written.
type StreamRetention struct {
	Selector string   `yaml:"selector"`
	Priority int      `yaml:"priority"`
	Period   Duration `yaml:"period"` // 0 = for ever
}

// UnmarshalYAML reads a rule. A key that is missing is an error: a rule that lost its period must not mean another one.
func (r *StreamRetention) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected a rule of retention_stream: selector, priority and period", n.Line)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Value != "selector" && key.Value != "priority" && key.Value != "period":
			return fmt.Errorf("line %d: unknown key %q in a rule of retention_stream; it has selector, priority and period", key.Line, key.Value)
		case seen[key.Value]:
			return fmt.Errorf("line %d: %s is given twice in a rule of retention_stream", key.Line, key.Value)
		case n.Content[i+1].ShortTag() != "!!null":
			seen[key.Value] = true
		}
	}
	if !seen["selector"] || !seen["period"] {
		return fmt.Errorf("line %d: a rule of retention_stream needs a selector and a period", n.Line)
	}
	type plain StreamRetention // without this method
	var next plain
	if err := n.Decode(&next); err != nil {
		return err
	}
	*r = StreamRetention(next)
	return nil
}

// Retention says how long the entries of a tenant are kept. A period of 0 is for ever.
type Retention struct {
	Period time.Duration // of streams that no rule selects
	// Rules are in the order in which they are to be tried: the first whose selector matches a stream holds for it.
	Rules []RetentionRule
}

// RetentionRule is the retention of the streams that a selector matches. The selector is text; who applies the rule parses it.
type RetentionRule struct {
	Selector string
	Priority int
	Period   time.Duration
}

// Retention returns the retention in the order that Loki's choice amounts to: the rule of the highest priority holds, of
// several the one with the shortest period, for which for ever is the longest.
func (l *Limits) Retention() Retention {
	out := Retention{Period: time.Duration(l.RetentionPeriod)}
	for _, r := range l.RetentionStream {
		out.Rules = append(out.Rules, RetentionRule{Selector: r.Selector, Priority: r.Priority, Period: time.Duration(r.Period)})
	}
	slices.SortStableFunc(out.Rules, func(a, b RetentionRule) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), comparePeriods(a.Period, b.Period))
	})
	return out
}

// comparePeriods orders periods by how long they keep entries.
func comparePeriods(a, b time.Duration) int {
	switch {
	case a == b:
		return 0
	case a == 0:
		return 1
	case b == 0:
		return -1
	}
	return cmp.Compare(a, b)
}

// Removes reports whether any entry is ever removed because of its age.
func (r Retention) Removes() bool {
	return r.Period > 0 || slices.ContainsFunc(r.Rules, func(rule RetentionRule) bool { return rule.Period > 0 })
}

// String tells the retention to people: kept for 30d; {env="dev"} for 1d.
func (r Retention) String() string {
	parts := []string{"kept " + periodWords(r.Period)}
	for _, rule := range r.Rules {
		parts = append(parts, rule.Selector+" "+periodWords(rule.Period))
	}
	return strings.Join(parts, "; ")
}

func periodWords(d time.Duration) string {
	if d == 0 {
		return "for ever"
	}
	return "for " + Duration(d).String()
}

func (l *Limits) validateRetention() error {
	var errs []error
	if err := checkPeriod(l.RetentionPeriod); err != nil {
		errs = append(errs, fmt.Errorf("retention_period: %w", err))
	}
	if len(l.RetentionStream) > retentionRulesMax {
		errs = append(errs, fmt.Errorf("retention_stream: more than %d rules", retentionRulesMax))
	}
	for i, r := range l.RetentionStream {
		switch err := checkPeriod(r.Period); {
		case strings.TrimSpace(r.Selector) == "":
			errs = append(errs, fmt.Errorf("retention_stream: rule %d has no selector", i+1))
		case len(r.Selector) > selectorBytesMax:
			errs = append(errs, fmt.Errorf("retention_stream: the selector of rule %d is longer than %d bytes", i+1, selectorBytesMax))
		case err != nil:
			errs = append(errs, fmt.Errorf("retention_stream: %s: %w", r.Selector, err))
		}
	}
	return errors.Join(errs...)
}

func checkPeriod(d Duration) error {
	if d < 0 || d > 0 && d < retentionMin {
		return fmt.Errorf("%s is less than 24h, the shortest that logs can be kept; 0 keeps them for ever", d)
	}
	return nil
}
