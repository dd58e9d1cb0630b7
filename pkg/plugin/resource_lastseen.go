package plugin

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// lastSeenTimeout ends a look through the indexes of all blocks: the sentence that it is for is worth no more.
const lastSeenTimeout = 5 * time.Second

// lastSeer is a Querier that knows when streams were last written to without reading entries.
type lastSeer interface {
	LastSeen(ctx context.Context, tenant model.TenantID, matchers []*labels.Matcher) (last model.Timestamp, ok bool, err error)
}

// lastSeenJSON says when a selector last had an entry, at any time.
type lastSeenJSON struct {
	// Known is false when this store cannot tell.
	Known bool `json:"known"`
	// LastSeen is RFC 3339, "" when no entry that is stored matches.
	LastSeen string `json:"lastSeen,omitempty"`
}

func lastSeen(ctx context.Context, c *resourceCall) (any, error) {
	selector := c.params.Get("query")
	if strings.TrimSpace(selector) == "" {
		return nil, fault(400, "The parameter query is missing: the selector that is looked for.")
	}
	scope, err := c.scope([]string{selector})
	if err != nil {
		return nil, err
	}
	seer, ok := c.p.Querier.(lastSeer)
	if !ok {
		return lastSeenJSON{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lastSeenTimeout)
	defer cancel()
	last, found, err := seer.LastSeen(ctx, c.tenant, scope.Matchers)
	if err != nil {
		return nil, err
	}
	out := lastSeenJSON{Known: true}
	if found {
		out.LastSeen = last.Time().UTC().Format(time.RFC3339Nano)
	}
	return out, nil
}
