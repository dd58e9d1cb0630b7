package pipeline

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// Needs is what a pipeline, or whoever comes after it, reads of an entry.
type Needs struct {
	Line bool
	// AllNames: every label there is.
	AllNames bool
	// Errors: the labels of errors, by their names.
	Errors bool
	// Names are labels that may be a stream's, structured metadata's or made by a stage, among them detected_level.
	Names map[string]bool
}

// AddName notes that the label is read.
func (n *Needs) AddName(name string) {
	if name == ErrorLabel || name == ErrorDetailsLabel {
		n.Errors = true
		return // made by the pipeline itself
	}
	if n.Names == nil {
		n.Names = map[string]bool{}
	}
	n.Names[name] = true
}

// Add notes everything that other notes.
func (n *Needs) Add(other Needs) {
	n.Line = n.Line || other.Line
	n.AllNames = n.AllNames || other.AllNames
	n.Errors = n.Errors || other.Errors
	for name := range other.Names {
		n.AddName(name)
	}
}

// wanted is the labels that are worth making: those that some stage or whoever comes after the pipeline reads.
type wanted struct {
	all      bool
	errors   bool
	names    nameSet // read under this name
	relevant nameSet // read under this name or under this name and "_extracted"
}

// nameSet is a set of names. There are few, as a rule, and most that are asked for have another length than each.
type nameSet struct {
	list   []string
	byName map[string]bool // of long lists
}

// nameListMax is how many names are compared one by one.
const nameListMax = 8

func newNameSet(names map[string]bool) nameSet {
	s := nameSet{list: slices.Collect(maps.Keys(names))}
	if len(s.list) > nameListMax {
		s.byName = names
	}
	return s
}

func (s *nameSet) has(name string) bool {
	if s.byName != nil {
		return s.byName[name]
	}
	for _, n := range s.list {
		if n == name {
			return true
		}
	}
	return false
}

func newWanted(n Needs) *wanted {
	relevant := map[string]bool{}
	for name := range n.Names {
		relevant[name] = true
		if base, ok := strings.CutSuffix(name, ExtractedSuffix); ok {
			relevant[base] = true
		}
	}
	return &wanted{all: n.AllNames, errors: n.Errors, names: newNameSet(n.Names), relevant: newNameSet(relevant)}
}

// wants reports whether somebody reads the label.
func (w *wanted) wants(name string) bool { return w.all || w.names.has(name) }

// mayWant reports whether somebody reads what would be extracted as name: under it or, after a clash, under another.
func (w *wanted) mayWant(name string) bool { return w.all || w.relevant.has(name) }

// satisfied reports whether no parser can add to the row what somebody reads: everything is there, or is the stream's or the
// metadata's, which whatever a parser finds gives way to.
func (w *wanted) satisfied(r *row) bool {
	return !w.all && !w.errors && waiting(r, w.open(nil, r.stream)) == 0
}

// open appends the names that are read and that labels of the stream do not keep parsers from making.
func (w *wanted) open(dst []string, stream labels.Labels) []string {
	for _, name := range w.names.list {
		// With the suffix it is what a parser makes of the base name, which the stream may have.
		if strings.HasSuffix(name, ExtractedSuffix) || stream.Get(name) == "" {
			dst = append(dst, name)
		}
	}
	return dst
}

// waiting returns how many of the open names parsers may still make labels of.
func waiting(r *row, open []string) int {
	n := len(open)
	for i := range r.own {
		l := &r.own[i]
		if slices.Contains(open, l.Name) && (l.Parsed || !l.gone && !strings.HasSuffix(l.Name, ExtractedSuffix)) {
			n--
		}
	}
	return n
}

// mayWantPrefix reports whether mayWant holds for any name that begins with the prefix.
func (w *wanted) mayWantPrefix(prefix string) bool {
	if w.all {
		return true
	}
	for _, name := range w.relevant.list {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
