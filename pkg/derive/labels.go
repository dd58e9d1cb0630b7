package derive

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"
)

// parseLabels parses a label text by the grammar that Loki parses it by, that of a Prometheus metric:
//
//	metric  = [ name ] [ "{" [ item { "," item } [ "," ] ] "}" ]
//	item    = ( identifier | string ) "=" string | string
//
// A name before the braces, or a string that stands alone in them, is the label __name__. Comments (# to the end of the
// line) and white space may stand between tokens. Strings are quoted with ", ' or `. Errors have the words of Prometheus'
// parser (github.com/prometheus/prometheus/promql/parser, Apache-2.0), which agents' users meet in their logs.
//
// Unlike there, U+FFFD may stand in a string (bytes that are no UTF-8 may not), and a name in quotes may be neither empty
// nor have a zero byte, which ends names in indexes. The labels come as written: unsorted, with
// empty values and duplicates. They own their memory.
func parseLabels(text string) ([]labels.Label, error) {
	if len(text) > labelsTextBytesMax {
		return nil, fmt.Errorf("labels size %d MiB exceeds limit of %d", len(text)>>20, labelsTextBytesMax>>20)
	}
	p := labelParser{lexer: labelLexer{text: text}}
	p.next()
	metric := ""
	if p.token.kind == tokenIdentifier || p.token.kind == tokenKeyword && !notMetricNames[strings.ToLower(p.token.text)] {
		metric = strings.Clone(p.token.text)
		p.next()
	}
	var ls []labels.Label
	if p.token.kind == tokenSign && p.token.text == "{" {
		var err error
		if ls, err = p.labelSet(); err != nil {
			return nil, err
		}
	}
	if p.token.kind != tokenEnd {
		return nil, p.unexpected("", "")
	}
	if metric != "" {
		kept := ls[:0]
		for _, l := range ls {
			if l.Name != labelMetricName {
				kept = append(kept, l)
			}
		}
		ls = append(kept, labels.Label{Name: labelMetricName, Value: metric})
	}
	return ls, nil
}

// labelsCountMax bounds the labels of one stream before any limit of a tenant is asked: an empty label is five bytes of text
// and 32 of memory.
const labelsCountMax = 4096

var errTooManyLabels = fmt.Errorf("more than %d labels", labelsCountMax)

// labelsTextBytesMax is the longest text: labels.Labels panics at a name or value of 16 MiB.
const labelsTextBytesMax = 1<<24 - 1

// notMetricNames are the keywords that cannot be the name of a metric.
var notMetricNames = map[string]bool{
	"atan2": true, "on": true, "ignoring": true, "group_left": true, "group_right": true, "bool": true,
}

// keywords are the names that the lexer tells from identifiers outside of braces.
var keywords = map[string]bool{
	"and": true, "or": true, "unless": true, "sum": true, "avg": true, "count": true, "min": true, "max": true, "group": true,
	"stddev": true, "stdvar": true, "topk": true, "bottomk": true, "count_values": true, "quantile": true, "limitk": true,
	"limit_ratio": true, "offset": true, "smoothed": true, "anchored": true, "by": true, "without": true, "start": true,
	"end": true, "step": true, "range": true, "max_of": true, "min_of": true,
}

type labelParser struct {
	lexer labelLexer
	token labelToken
}

func (p *labelParser) next() { p.token = p.lexer.next() }

// labelSet parses from the opening brace to behind the closing one.
func (p *labelParser) labelSet() ([]labels.Label, error) {
	var ls []labels.Label
	p.lexer.inBraces = true
	p.next()
	for !p.sign("}") {
		if len(ls) == labelsCountMax {
			return nil, errTooManyLabels
		}
		l, err := p.item()
		if err != nil {
			return nil, err
		}
		ls = append(ls, l)
		if p.sign(",") {
			p.next()
			continue
		}
		if !p.sign("}") {
			return nil, p.unexpected("label set", `"," or "}"`)
		}
	}
	p.lexer.inBraces = false
	p.next()
	return ls, nil
}

func (p *labelParser) item() (labels.Label, error) {
	var name string
	switch p.token.kind {
	case tokenIdentifier:
		name = strings.Clone(p.token.text)
		p.next()
		if !p.sign("=") {
			return labels.Label{}, p.unexpected("label set", `"="`)
		}
	case tokenString:
		quoted := p.token
		name = unquoteLabel(quoted.text)
		p.next()
		if p.sign("=") && (name == "" || strings.IndexByte(name, 0) >= 0) {
			p.token = fault(quoted.pos, "a label name is empty or has a zero byte")
			return labels.Label{}, p.unexpected("", "")
		}
		if !p.sign("=") {
			return labels.Label{Name: labelMetricName, Value: name}, nil
		}
	default:
		return labels.Label{}, p.unexpected("label set", `identifier or "}"`)
	}
	p.next()
	if p.token.kind != tokenString {
		return labels.Label{}, p.unexpected("label set", "string")
	}
	value := unquoteLabel(p.token.text)
	p.next()
	return labels.Label{Name: name, Value: value}, nil
}

func (p *labelParser) sign(s string) bool { return p.token.kind == tokenSign && p.token.text == s }

// unexpected complains about the current token.
func (p *labelParser) unexpected(context, expected string) error {
	what := p.token.text
	if p.token.kind != tokenFault {
		what = "unexpected " + p.token.describe()
		if context != "" {
			what += " in " + context
		}
		if expected != "" {
			what += ", expected " + expected
		}
	}
	before := p.lexer.text[:p.token.pos]
	line := 1 + strings.Count(before, "\n")
	column := p.token.pos - strings.LastIndexByte(before, '\n')
	return fmt.Errorf("%d:%d: parse error: %s", line, column, what)
}

// isLabelName reports whether s is a name that needs no quotes in a label text.
func isLabelName(s string) bool {
	if s == "" || isDigit(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c)
}

// labelNameError says of a set with a bad name what the parser would say of its text.
func labelNameError(ls labels.Labels) error {
	var b strings.Builder
	name := ""
	ls.Range(func(l labels.Label) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		if !isLabelName(l.Name) && name == "" {
			name = l.Name
		}
		fmt.Fprintf(&b, "%s=%q", l.Name, l.Value)
	})
	if _, err := parseLabels("{" + b.String() + "}"); err != nil {
		return err
	}
	// The name reads as something else, with luck even as several labels. Loki would take those.
	return fmt.Errorf("%q is not a label name", name)
}

// unquoteLabel decodes a string token that the lexer has checked.
func unquoteLabel(quoted string) string {
	s := quoted[1 : len(quoted)-1]
	if quoted[0] == '`' || strings.IndexByte(s, '\\') < 0 {
		return strings.Clone(s)
	}
	b := make([]byte, 0, len(s))
	for s != "" {
		if s[0] != '\\' {
			n := strings.IndexByte(s, '\\')
			if n < 0 {
				n = len(s)
			}
			b = append(b, s[:n]...)
			s = s[n:]
			continue
		}
		// strconv knows the same escapes, but of quotes only the one that it is told of.
		c, multibyte, rest, err := strconv.UnquoteChar(s, quoted[0])
		if err != nil {
			return string(b) // the lexer refuses what gets here
		}
		if multibyte {
			b = utf8.AppendRune(b, c)
		} else {
			b = append(b, byte(c))
		}
		s = rest
	}
	return string(b)
}
