package derive

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// metadata normalises pairs in place and takes detected_level out. Of several values of one name the last counts; a name
// that had to be changed counts as coming later than one that was sent so, as in Loki.
func (d *Deriver) metadata(pairs []model.Pair) (kept []model.Pair, level string) {
	kept = pairs[:0]
	var renamed []model.Pair
	sorted := true
	for _, p := range pairs {
		if p.Value == "" {
			continue
		}
		if hasReplacement(p.Value) {
			p.Value = replaceInvalid(p.Value)
		}
		if !isNormalName(p.Name) {
			p.Name = d.normalName(p.Name)
			renamed = append(renamed, p)
			continue
		}
		if n := len(kept); n > 0 && kept[n-1].Name >= p.Name {
			sorted = false
		}
		kept = append(kept, p)
	}
	kept = append(kept, renamed...) // never more than pairs held
	if !sorted || len(renamed) > 0 {
		kept = sortPairs(kept)
	}
	for i := range kept {
		if kept[i].Name == MetadataLevel {
			level = kept[i].Value
			return slices.Delete(kept, i, i+1), level
		}
	}
	return kept, ""
}

// sortPairs sorts by name and keeps the last of equal names.
func sortPairs(pairs []model.Pair) []model.Pair {
	slices.SortStableFunc(pairs, func(a, b model.Pair) int { return strings.Compare(a.Name, b.Name) })
	kept := pairs[:0]
	for i, p := range pairs {
		if i+1 == len(pairs) || pairs[i+1].Name != p.Name {
			kept = append(kept, p)
		}
	}
	return kept
}

// hasReplacement reports whether s holds U+FFFD, or bytes that are no UTF-8 and would be printed as one.
func hasReplacement(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.ContainsRune(s[i:], utf8.RuneError)
		}
	}
	return false
}

// replaceInvalid puts a space in the place of each of them, as Loki does because Prometheus refuses them.
func replaceInvalid(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}

// isNormalName reports whether normalName would leave the name as it is.
func isNormalName(s string) bool {
	if s == "" || isDigit(s[0]) {
		return false
	}
	if len(s) >= 4 && strings.HasPrefix(s, "__") && strings.HasSuffix(s, "__") {
		return normalizeName(s) == s
	}
	letters, underscore := false, false
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', isDigit(c):
			letters, underscore = true, false
		case c == '_':
			if underscore {
				return false
			}
			underscore = true
		default:
			return false
		}
	}
	return letters || len(s) == 1
}

func (d *Deriver) normalName(s string) string {
	if normal, ok := d.names.get(s); ok {
		return normal
	}
	normal := normalizeName(s)
	d.names.put(s, normal)
	return normal
}

// normalizeName makes a name of [a-zA-Z0-9_] by the rules for OpenTelemetry attributes (otlptranslator's LabelNamer, which
// a test compares with): every run of other characters becomes one underscore, a name between double underscores keeps
// those, one that begins with a digit gets "key_" in front. Where that leaves nothing but underscores the name is "_".
func normalizeName(s string) string {
	reserved := len(s) >= 4 && strings.HasPrefix(s, "__") && strings.HasSuffix(s, "__")
	if reserved {
		s = s[2 : len(s)-2]
	}
	var b strings.Builder
	b.Grow(len(s) + len("key_"))
	letters, underscore := false, false
	if reserved {
		b.WriteString("__")
	} else if s != "" && isDigit(s[0]) {
		b.WriteString("key_")
	}
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			b.WriteByte(byte(r))
			letters, underscore = true, false
		case !underscore:
			b.WriteByte('_')
			underscore = true
		}
	}
	if !letters {
		return "_"
	}
	if reserved {
		b.WriteString("__")
	}
	return b.String()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
