package pipeline

import (
	"iter"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Label is a label of an entry that its stream does not have, or not with this value.
type Label struct {
	Name, Value string
	// Parsed: a stage made it. Else it is structured metadata or the level.
	Parsed bool
	// gone: it was removed. It stays in the list, for no parser may make it again.
	gone bool
}

// row is one entry on its way through the row program. One row is used for all entries, one after the other.
//
// A name is looked up among the own labels first, then among the removed ones, then in the stream. Its texts live as long
// as the batch.
type row struct {
	Timestamp model.Timestamp
	Line      string
	// Err is the last thing that went wrong; it becomes the labels __error__ and __error_details__.
	Err EntryError
	// Value is what unwrap took.
	Value float64

	stream labels.Labels
	// streamNumber is another one whenever the stream is another one than that of the entry before. It is not 0.
	streamNumber uint64
	own          []Label  // each name once
	removed      []string // labels of the stream
	wanted       *wanted
	arena        *arena
	scratch      []byte                  // for whoever makes a text
	suffixed     map[string]string       // name → name_extracted
	take         func(bytes int64) error // of the query's memory; nil: no limit
	stop         error                   // ends the query
	done         <-chan struct{}         // closed when nobody waits for the query any more; nil: somebody does
	cause        func() error            // why it is closed
}

// ended reports whether nobody waits for the query any more.
func (r *row) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// get returns the value of a label as the next stage sees it.
func (r *row) get(name string) (value string, ok bool) {
	switch name {
	case ErrorLabel:
		return r.Err.Class, r.Err.Class != ""
	case ErrorDetailsLabel:
		return r.Err.Details, r.Err.Details != ""
	}
	return lookupOwn(r.stream, r.own, r.removed, name)
}

func lookupOwn(stream labels.Labels, own []Label, removed []string, name string) (value string, ok bool) {
	for i := range own {
		if l := &own[i]; l.Name == name {
			if l.gone {
				break
			}
			return l.Value, true
		}
	}
	if slices.Contains(removed, name) {
		return "", false
	}
	v := stream.Get(name)
	return v, v != ""
}

// find returns the index of an own label, gone or not, or -1.
func (r *row) find(name string) int {
	for i := range r.own {
		if r.own[i].Name == name {
			return i
		}
	}
	return -1
}

// set gives a label a value, whoever had it before, and returns its index.
func (r *row) set(name, value string) int {
	i := r.find(name)
	if i < 0 {
		i = len(r.own)
		r.add(name, true).Value = value
		return i
	}
	r.own[i] = Label{Name: name, Value: value, Parsed: true}
	return i
}

// add appends a label, whose value is to be filled in. Field by field: a label is too large for registers, and copying what
// has just been put together in memory waits for that.
func (r *row) add(name string, parsed bool) *Label {
	n := len(r.own)
	if n == cap(r.own) {
		r.own = append(r.own, Label{})
	} else {
		r.own = r.own[:n+1]
	}
	l := &r.own[n]
	l.Name, l.Value, l.Parsed, l.gone = name, "", parsed, false
	return l
}

// remove takes a label away.
func (r *row) remove(name string) {
	if i := r.find(name); i >= 0 {
		r.removeOwn(i)
		return
	}
	r.removeOfStream(name)
}

// removeOwn takes an own label away, and that of the stream which it hides.
func (r *row) removeOwn(i int) {
	r.own[i].gone = true
	r.removeOfStream(r.own[i].Name)
}

func (r *row) removeOfStream(name string) {
	if r.stream.Get(name) != "" && !slices.Contains(r.removed, name) {
		r.removed = append(r.removed, name)
	}
}

// labels yields all labels but those of errors, those of the stream first.
func (r *row) labels() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		ended := false
		r.stream.Range(func(l labels.Label) {
			if !ended && !r.hidden(l.Name) {
				ended = !yield(l.Name, l.Value)
			}
		})
		for i := range r.own {
			if ended {
				return
			}
			if l := &r.own[i]; !l.gone {
				ended = !yield(l.Name, l.Value)
			}
		}
	}
}

// hidden reports whether a label of the stream is removed or has another value.
func (r *row) hidden(name string) bool {
	i := r.find(name)
	return i >= 0 && !r.own[i].gone || slices.Contains(r.removed, name)
}

// text returns the bytes as a text of the batch.
func (r *row) text(b []byte) string { return r.arena.copyText(b) }

// fail notes what went wrong with the entry. It stays in; the note replaces an earlier one.
func (r *row) fail(class, details string) { r.Err = EntryError{Class: class, Details: details} }

// reserve sets memory of the query aside for what a stage keeps. Without it the query ends.
func (r *row) reserve(bytes int64) bool {
	if r.take != nil {
		r.stop = r.take(bytes)
	}
	return r.stop == nil
}

// suffixedMax bounds the names that suffix remembers.
const suffixedMax = 1024

// suffix returns name and "_extracted".
func (r *row) suffix(name string) string {
	if s, ok := r.suffixed[name]; ok {
		return s
	}
	s := name + ExtractedSuffix
	if len(r.suffixed) < suffixedMax {
		r.suffixed[s[:len(name)]] = s
	}
	return s
}
