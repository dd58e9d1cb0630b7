// Package derive computes what a store adds to a push: the label set that a label text stands for, service_name,
// normalised metadata names, and detected_level. The rules are Loki's (its distributor and push handler).
//
// Everything here is a pure function of the input and of Options. The write-ahead log keeps client bodies as they came and
// the options in force, and a replay must derive the same entries to the byte: no clock, no randomness, no setting from
// elsewhere, no library whose next version may decide otherwise. A change of the rules is a new Version.
//
// Where Loki's behaviour would lose or refuse a line for an accident, this package differs: a metadata name of nothing but
// underscores becomes "_" (Loki answers 500, for ever), and what in a label is not UTF-8 is replaced by
// U+FFFD (Loki stores what no JSON answer can carry).
//
// The package knows nothing of limits, tenants or HTTP.
package derive

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Names that have a meaning of their own.
const (
	LabelServiceName  = "service_name"
	ServiceUnknown    = "unknown_service"
	MetadataLevel     = "detected_level"
	MetadataSeverity  = "severity_number" // the OpenTelemetry number of a severity
	labelMetricName   = "__name__"
	cacheBytesDefault = 8 << 20
)

// Stream is a derived stream. It never changes, is shared, and owns its memory.
type Stream struct {
	Labels      labels.Labels // sorted, without empty values, service_name added
	Fingerprint model.Fingerprint
	// What limits are compared with.
	LabelsCount    int    // labels, service_name not counted
	NameBytesMax   int    // the longest name
	ValueBytesMax  int    // the longest value
	DuplicateLabel string // a name that occurs twice: the set must be refused

	level    string // the level that the labels give to every entry
	hasLevel bool

	labelsBytes int // memory of Labels, about
}

// String prints the labels.
func (s *Stream) String() string { return s.Labels.String() }

// Deriver derives under one set of options. It may be used concurrently.
type Deriver struct {
	options Options
	binary  []byte
	fields  levelFields
	streams *cache
	scratch sync.Pool // *labels.ScratchBuilder
	names   nameCache
}

// New makes a deriver whose cache of streams has the default size.
func New(o Options) *Deriver { return NewSized(o, cacheBytesDefault) }

// NewSized makes a deriver whose cache of streams takes about so many bytes at most.
func NewSized(o Options, cacheBytesMax int) *Deriver {
	return &Deriver{options: o, binary: o.AppendBinary(nil), fields: newLevelFields(o.LevelFields), streams: newCache(cacheBytesMax)}
}

// Options returns the options.
func (d *Deriver) Options() Options { return d.options }

// Binary returns the binary form of the options, to be read only.
func (d *Deriver) Binary() []byte { return d.binary }

// Stream derives the stream of a label text such as `{app="api"}`. It does not keep labelsText. The error is what Prometheus'
// parser says of the text.
func (d *Deriver) Stream(labelsText string) (*Stream, error) {
	if s := d.streams.get(keyText, labelsText); s != nil {
		return s, nil
	}
	parsed, err := parseLabels(labelsText)
	if err != nil {
		return nil, err
	}
	s := d.stream(parsed)
	d.streams.put(keyText, labelsText, s)
	return s, nil
}

// StreamOf derives the stream of a label set that came as such. Names must be names of Prometheus labels: Loki prints such
// a set as a text and parses that, and the error is what it would say.
func (d *Deriver) StreamOf(ls labels.Labels) (*Stream, error) {
	var stack [512]byte
	raw := ls.Bytes(stack[:0])
	key := unsafe.String(unsafe.SliceData(raw), len(raw)) // for this call only: the cache copies what it keeps
	if s := d.streams.get(keySet, key); s != nil {
		return s, nil
	}
	if ls.Len() > labelsCountMax {
		return nil, errTooManyLabels
	}
	var parsed []labels.Label
	bad := false
	ls.Range(func(l labels.Label) {
		bad = bad || !isLabelName(l.Name)
		parsed = append(parsed, labels.Label{Name: strings.Clone(l.Name), Value: strings.Clone(l.Value)})
	})
	if bad {
		return nil, labelNameError(ls)
	}
	s := d.stream(parsed)
	d.streams.put(keySet, key, s)
	return s, nil
}

// stream builds the stream of the labels, which it owns.
func (d *Deriver) stream(ls []labels.Label) *Stream {
	s := &Stream{}
	ls = slices.DeleteFunc(ls, func(l labels.Label) bool { return l.Value == "" })
	for i := range ls {
		for _, text := range []*string{&ls[i].Name, &ls[i].Value} {
			if !utf8.ValidString(*text) {
				*text = strings.ToValidUTF8(*text, "\uFFFD")
			}
		}
	}
	slices.SortStableFunc(ls, func(a, b labels.Label) int { return strings.Compare(a.Name, b.Name) })
	if i := indexLabel(ls, LabelServiceName); i < 0 && len(d.options.ServiceNames) > 0 {
		ls = append(ls, labels.Label{Name: LabelServiceName, Value: d.serviceName(ls)})
		slices.SortStableFunc(ls, func(a, b labels.Label) int { return strings.Compare(a.Name, b.Name) })
	}
	b, ok := d.scratch.Get().(*labels.ScratchBuilder)
	if !ok {
		b = new(labels.ScratchBuilder)
	}
	defer d.scratch.Put(b)
	b.Reset()
	for i, l := range ls {
		b.Add(l.Name, l.Value)
		s.labelsBytes += len(l.Name) + len(l.Value) + 2
		s.NameBytesMax = max(s.NameBytesMax, len(l.Name))
		s.ValueBytesMax = max(s.ValueBytesMax, len(l.Value))
		if l.Name != LabelServiceName {
			s.LabelsCount++
		}
		if i > 0 && ls[i-1].Name == l.Name && s.DuplicateLabel == "" {
			s.DuplicateLabel = l.Name
		}
	}
	s.Labels = b.Labels()
	b.Reset()
	s.Fingerprint = model.FingerprintOf(s.Labels)
	for _, field := range d.options.LevelFields {
		if i := indexLabel(ls, field); i >= 0 {
			s.level, s.hasLevel = strings.Clone(normalizeLevel(ls[i].Value)), true
			break
		}
	}
	return s
}

func (d *Deriver) serviceName(ls []labels.Label) string {
	for _, name := range d.options.ServiceNames {
		if i := indexLabel(ls, name); i >= 0 {
			return ls[i].Value
		}
	}
	return ServiceUnknown
}

// indexLabel finds the first label of a name; there are few, so it looks at all.
func indexLabel(ls []labels.Label, name string) int {
	return slices.IndexFunc(ls, func(l labels.Label) bool { return l.Name == name })
}

// Entry derives an entry in place: metadata names normalised, empty values dropped, bytes that are not UTF-8 replaced by
// spaces, sorted by name; detected_level moved from the metadata to Level, or found. Strings may go on to point where
// e's did; Level never does.
func (d *Deriver) Entry(s *Stream, e *model.Entry) {
	sent := ""
	if len(e.Metadata) > 0 {
		e.Metadata, sent = d.metadata(e.Metadata)
	}
	switch {
	case sent != "" && d.options.DiscoverLevels:
		e.Level = ownLevel(normalizeLevel(sent))
	case sent != "":
		e.Level = ownLevel(sent)
	case !d.options.DiscoverLevels:
		e.Level = ""
	case s.hasLevel:
		e.Level = s.level
	default:
		e.Level = d.detect(e)
	}
}

// detect finds the level of an entry whose stream has none.
func (d *Deriver) detect(e *model.Entry) string {
	if len(e.Metadata) > 0 {
		for _, field := range d.options.LevelFields {
			if v, ok := find(e.Metadata, field); ok {
				return ownLevel(normalizeLevel(v))
			}
		}
		if v, ok := find(e.Metadata, MetadataSeverity); ok {
			return levelOfSeverity(v)
		}
	}
	return d.levelOfLine(e.Line)
}

func find(pairs []model.Pair, name string) (string, bool) {
	for i := range pairs {
		if pairs[i].Name == name {
			return pairs[i].Value, true
		}
	}
	return "", false
}
