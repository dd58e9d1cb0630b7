package plugin

import (
	"context"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

const (
	countsMax        = 1_000   // names or values of one answer: more than anybody reads, who can search
	countsStreamsMax = 300_000 // streams that are looked at to count: about a second, and 200 MB for as long
	searchBytesMax   = 1 << 10
)

// countJSON is a label name with the number of its values, or a value with the number of streams that have it.
type countJSON struct {
	Text  string `json:"text"`
	Count uint64 `json:"count"` // 0: not counted
}

// countsJSON is what a picker offers: the first names or values in their order, and how many there are.
type countsJSON struct {
	Status string      `json:"status"`
	Data   []countJSON `json:"data"`
	Total  uint64      `json:"total"`
	// Uncounted says that more streams are in the scope than are counted.
	Uncounted bool `json:"uncounted,omitempty"`
}

// nameCounts answers with label names in the scope, and how many values each has there. search keeps the names that
// contain it, in whatever case.
func nameCounts(ctx context.Context, c *resourceCall) (any, error) {
	scope, err := c.scope(c.params["query"])
	if err != nil {
		return nil, err
	}
	search, err := searchText(c.params)
	if err != nil {
		return nil, err
	}
	st, err := c.p.Querier.Stats(ctx, c.tenant, scope)
	if err != nil {
		return nil, err
	}
	if st.Streams > countsStreamsMax {
		names, err := c.p.Querier.LabelNames(ctx, c.tenant, scope)
		return uncounted(names, search), err
	}
	sets, err := c.p.Querier.Series(ctx, c.tenant, scope)
	if err != nil {
		return nil, err
	}
	values := map[string]map[string]struct{}{}
	for _, set := range sets {
		set.Range(func(l labels.Label) {
			if values[l.Name] == nil {
				values[l.Name] = map[string]struct{}{}
			}
			values[l.Name][l.Value] = struct{}{}
		})
	}
	counts := map[string]uint64{}
	for name, of := range values {
		if search.MatchString(name) {
			counts[name] = uint64(len(of))
		}
	}
	return counted(counts), nil
}

// valueCounts answers with the values of one label in the scope, and how many streams have each. search keeps the values
// that contain it, in whatever case; it is the index that finds them.
func valueCounts(ctx context.Context, c *resourceCall) (any, error) {
	scope, err := c.scope(c.params["query"])
	if err != nil {
		return nil, err
	}
	search, err := searchText(c.params)
	if err != nil {
		return nil, err
	}
	has := labels.MustNewMatcher(labels.MatchNotEqual, c.name, "")
	if c.params.Get("search") != "" {
		if has, err = labels.NewMatcher(labels.MatchRegexp, c.name, ".*(?:"+search.String()+").*"); err != nil {
			return nil, fault(400, "The search text could not be used: %s.", err)
		}
	}
	scope.Matchers = append(slices.Clone(scope.Matchers), has)
	st, err := c.p.Querier.Stats(ctx, c.tenant, scope)
	if err != nil {
		return nil, err
	}
	if st.Streams > countsStreamsMax {
		values, err := c.p.Querier.LabelValues(ctx, c.tenant, c.name, scope)
		return uncounted(values, search), err
	}
	sets, err := c.p.Querier.Series(ctx, c.tenant, scope)
	if err != nil {
		return nil, err
	}
	counts := map[string]uint64{}
	for _, set := range sets {
		counts[set.Get(c.name)]++
	}
	return counted(counts), nil
}

// searchText reads search as an expression that finds the text in whatever case.
func searchText(params url.Values) (*regexp.Regexp, error) {
	text := params.Get("search")
	if len(text) > searchBytesMax {
		return nil, fault(400, "The search text is %d bytes long; at most %d are read.", len(text), searchBytesMax)
	}
	re, err := regexp.Compile("(?i:" + regexp.QuoteMeta(strings.ToValidUTF8(text, "\uFFFD")) + ")")
	if err != nil {
		return nil, fault(400, "The search text could not be used: %s.", err)
	}
	return re, nil
}

func counted(counts map[string]uint64) countsJSON {
	texts := slices.Sorted(maps.Keys(counts))
	out := countsJSON{Status: "success", Data: []countJSON{}, Total: uint64(len(texts))}
	for _, text := range texts[:min(len(texts), countsMax)] {
		out.Data = append(out.Data, countJSON{Text: text, Count: counts[text]})
	}
	return out
}

func uncounted(texts []string, search *regexp.Regexp) countsJSON {
	out := countsJSON{Status: "success", Data: []countJSON{}, Uncounted: true}
	for _, text := range texts {
		if !search.MatchString(text) {
			continue
		}
		if out.Total++; len(out.Data) < countsMax {
			out.Data = append(out.Data, countJSON{Text: text})
		}
	}
	return out
}
