package naive

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

const (
	errorLabel   = "__error__"
	detailsLabel = "__error_details__"
	levelLabel   = "detected_level"
	extracted    = "_extracted"
)

// row is one entry on its way through a pipeline.
type row struct {
	at   model.Timestamp
	line string

	stream, metadata, parsed Labels          // what it has now; a name is in one of them only
	born                     map[string]bool // the names of the stream, dropped or not
	made                     map[string]bool // what stages made, dropped or not: parsers do not make it again

	err, details string
	want         asked
}

func newRow(stream labels.Labels, e model.Entry) *row {
	r := &row{at: e.Timestamp, line: e.Line, stream: stream.Map(), metadata: Labels{}, parsed: Labels{}, born: map[string]bool{}, made: map[string]bool{}}
	for name := range r.stream {
		r.born[name] = true
	}
	metadata := slices.Concat(e.Metadata, []model.Pair{{Name: levelLabel, Value: e.Level}})
	// A name of the stream's gives way to what has that name and the suffix by birth: the latter is written last.
	for _, renamed := range []bool{true, false} {
		for _, p := range metadata {
			if p.Value == "" || r.born[p.Name] != renamed {
				continue
			}
			name := p.Name
			if renamed {
				name += extracted
			}
			r.metadata[name] = p.Value
		}
	}
	return r
}

// get returns what a stage finds under a name.
func (r *row) get(name string) (value string, ok bool) {
	switch name {
	case errorLabel:
		return r.err, r.err != ""
	case detailsLabel:
		return r.details, r.details != ""
	}
	for _, ls := range []Labels{r.parsed, r.metadata, r.stream} {
		if v, ok := ls[name]; ok {
			return v, true
		}
	}
	return "", false
}

// all returns all labels, those of an error too.
func (r *row) all() Labels {
	ls := Labels{}
	for _, from := range []Labels{r.stream, r.metadata, r.parsed} {
		maps.Copy(ls, from)
	}
	if r.err != "" {
		ls[errorLabel] = r.err
	}
	if r.details != "" {
		ls[detailsLabel] = r.details
	}
	return ls
}

// clashes reports whether a parser has to rename what it finds under a name.
func (r *row) clashes(name string) bool {
	_, ok := r.metadata[name]
	return ok || r.born[name]
}

// extract makes a label of what a parser found. The first to make a label wins.
func (r *row) extract(name, value string) {
	if r.clashes(name) {
		name += extracted
	}
	if !r.made[name] {
		r.set(name, value)
	}
}

// set gives a label a value, whoever had it before.
func (r *row) set(name, value string) {
	r.remove(name)
	r.parsed[name] = value
	r.made[name] = true
}

func (r *row) remove(name string) {
	delete(r.stream, name)
	delete(r.metadata, name)
	delete(r.parsed, name)
}

func (r *row) fail(class, details string) { r.err, r.details = class, details }

// hasAllWanted reports whether no parser can find any more what is asked for: it was made, or the stream or the metadata have
// the name, to which whatever is found gives way.
func (r *row) hasAllWanted() bool {
	if r.want.labels == nil || r.want.errors {
		return false
	}
	for name := range r.want.labels {
		_, isMetadata := r.metadata[name]
		if !r.made[name] && (strings.HasSuffix(name, extracted) || !isMetadata && !r.born[name]) {
			return false
		}
	}
	return true
}
