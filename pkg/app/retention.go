package app

import (
	"fmt"

	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// parseRetention reads the selectors of every distinct set of limits; what o.For returns finds a tenant's. A selector that no
// query would accept is refused: one that selects everything is retention_period.
func parseRetention(o *limits.Overrides) (map[*limits.Limits]logdb.Retention, error) {
	out := map[*limits.Limits]logdb.Retention{}
	for _, l := range o.All() {
		words := l.Retention()
		r := logdb.Retention{Period: words.Period}
		for _, rule := range words.Rules {
			matchers, err := syntax.ParseMatchers(rule.Selector)
			if err != nil {
				return nil, fmt.Errorf("retention_stream: selector %s: %w", rule.Selector, err)
			}
			r.Streams = append(r.Streams, logdb.StreamRetention{Matchers: matchers, Period: rule.Period})
		}
		out[l] = r
	}
	return out, nil
}
