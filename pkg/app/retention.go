package app

import (
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// retention is a tenant's limits.Retention with its selectors read.
type retention struct {
	period time.Duration   // of streams that no rule matches; 0 = for ever
	rules  []retentionRule // the first that matches a stream holds
}

type retentionRule struct {
	matchers []*labels.Matcher
	period   time.Duration
}

// parseRetention reads the selectors of every distinct set of limits; what o.For returns finds a tenant's. A selector that no
// query would accept is refused: one that selects everything is retention_period.
func parseRetention(o *limits.Overrides) (map[*limits.Limits]retention, error) {
	out := map[*limits.Limits]retention{}
	for _, l := range o.All() {
		words := l.Retention()
		r := retention{period: words.Period}
		for _, rule := range words.Rules {
			matchers, err := syntax.ParseMatchers(rule.Selector)
			if err != nil {
				return nil, fmt.Errorf("retention_stream: selector %s: %w", rule.Selector, err)
			}
			r.rules = append(r.rules, retentionRule{matchers: matchers, period: rule.Period})
		}
		out[l] = r
	}
	return out, nil
}
