package pipeline

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// LevelLabel is the name under which an entry's level is a label.
const LevelLabel = "detected_level"

// ExtractedSuffix renames structured metadata that has the name of one of the stream's labels.
const ExtractedSuffix = "_extracted"

// Lookup returns the value of a name for one entry: that of the stream's label, else that of its structured metadata.
// Metadata with the name of one of the stream's labels is found under that name and "_extracted", also when the stream has a
// label of that name, too.
func Lookup(stream labels.Labels, metadata []model.Pair, level, name string) (string, bool) {
	own, decided := OfStream(stream, name)
	if decided {
		return own, true
	}
	if own == "" {
		if v, ok := metadataValue(metadata, level, name); ok {
			return v, true
		}
	}
	if base, ok := strings.CutSuffix(name, ExtractedSuffix); ok && stream.Get(base) != "" {
		if v, ok := metadataValue(metadata, level, base); ok {
			return v, true
		}
	}
	return own, own != ""
}

// OfStream returns the value of the stream's label, and whether it is that of all its entries. It is not, where metadata may
// take the name: see Lookup.
func OfStream(stream labels.Labels, name string) (value string, decided bool) {
	v := stream.Get(name)
	if v == "" {
		return "", false
	}
	base, suffixed := strings.CutSuffix(name, ExtractedSuffix)
	return v, !suffixed || stream.Get(base) == ""
}

func metadataValue(metadata []model.Pair, level, name string) (string, bool) {
	if name == LevelLabel {
		return level, level != ""
	}
	for _, p := range metadata {
		if p.Name == name {
			return p.Value, p.Value != ""
		}
	}
	return "", false
}

// NeedsLevel reports whether looking up the name reads the level.
func NeedsLevel(name string) bool { return strings.TrimSuffix(name, ExtractedSuffix) == LevelLabel }

// MetadataNames returns the names of structured metadata that looking up these names may read.
func MetadataNames(names []string) []string {
	var list []string
	for _, name := range names {
		list = append(list, name)
		if base, ok := strings.CutSuffix(name, ExtractedSuffix); ok {
			list = append(list, base)
		}
	}
	return list
}

// AppendMetadata appends an entry's structured metadata and level under the names that Lookup finds them by, sorted.
// What claims to be an error of a pipeline is left out.
func AppendMetadata(dst []model.Pair, stream labels.Labels, metadata []model.Pair, level string) []model.Pair {
	start, sorted := len(dst), true
	add := func(name, value string) {
		if value == "" || name == ErrorLabel || name == ErrorDetailsLabel {
			return
		}
		if stream.Get(name) != "" {
			name += ExtractedSuffix
		}
		sorted = sorted && (len(dst) == start || dst[len(dst)-1].Name < name)
		dst = append(dst, model.Pair{Name: name, Value: value})
	}
	for _, p := range metadata {
		if level != "" && p.Name > LevelLabel {
			add(LevelLabel, level)
			level = ""
		}
		add(p.Name, p.Value)
	}
	add(LevelLabel, level)
	if sorted {
		return dst
	}
	// A renamed pair came out of order, or met one that has that name by birth: that one, being later, stays.
	added := dst[start:]
	slices.SortStableFunc(added, func(a, b model.Pair) int { return strings.Compare(a.Name, b.Name) })
	kept := start
	for i, p := range added {
		if i+1 < len(added) && added[i+1].Name == p.Name {
			continue
		}
		dst[kept] = p
		kept++
	}
	return dst[:kept]
}
