package derive

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenIdentifier
	tokenKeyword  // outside of braces
	tokenString   // with its quotes
	tokenSign     // punctuation
	tokenOperator // of a query; never right in labels
	tokenNumber
	tokenFault // text is what is wrong
)

type labelToken struct {
	kind tokenKind
	pos  int
	text string
}

// describe names a token as Prometheus' parser does.
func (t labelToken) describe() string {
	switch t.kind {
	case tokenEnd:
		return "end of input"
	case tokenKeyword:
		return "<" + t.text + ">"
	case tokenOperator:
		return "<op:" + t.text + ">"
	case tokenSign:
		return fmt.Sprintf("%q", t.text)
	}
	kind := map[tokenKind]string{tokenIdentifier: "identifier", tokenString: "string", tokenNumber: "number"}[t.kind]
	switch {
	case t.kind == tokenIdentifier && strings.Contains(t.text, ":"):
		kind = "metric identifier"
	case t.kind != tokenIdentifier && len(t.text) > 10:
		return fmt.Sprintf("%s %.10q...", kind, t.text)
	}
	return fmt.Sprintf("%s %q", kind, t.text)
}

// labelLexer cuts a label text into tokens. What may stand in braces is lexed in full; outside of them only what begins or
// follows a metric.
type labelLexer struct {
	text     string
	pos      int
	inBraces bool
}

func (l *labelLexer) token(kind tokenKind, start int) labelToken {
	return labelToken{kind: kind, pos: start, text: l.text[start:l.pos]}
}

func fault(pos int, format string, args ...any) labelToken {
	return labelToken{kind: tokenFault, pos: pos, text: fmt.Sprintf(format, args...)}
}

func (l *labelLexer) skipSpaceAndComments() {
	for l.pos < len(l.text) {
		switch l.text[l.pos] {
		case ' ', '\t', '\n', '\r':
			l.pos++
		case '#':
			n := strings.IndexAny(l.text[l.pos:], "\r\n")
			if n < 0 {
				n = len(l.text) - l.pos
			}
			l.pos += n
		default:
			return
		}
	}
}

func (l *labelLexer) next() labelToken {
	l.skipSpaceAndComments()
	start := l.pos
	if start == len(l.text) {
		if l.inBraces {
			return fault(start, "unexpected end of input inside braces")
		}
		return labelToken{pos: start}
	}
	switch c := l.text[start]; {
	case c == '"' || c == '\'' || c == '`':
		return l.string(c)
	case isNameByte(c) && !isDigit(c):
		return l.identifier()
	case l.inBraces:
		return l.signInBraces()
	case c == ':':
		return l.identifier()
	case c == '{' || c == ',' || c == '=':
		l.pos++
		return l.token(tokenSign, start)
	case isDigit(c):
		for l.pos < len(l.text) && isNameByte(l.text[l.pos]) {
			l.pos++
		}
		return l.token(tokenNumber, start)
	case strings.IndexByte("*/%+-^<>", c) >= 0:
		l.pos++
		return l.token(tokenOperator, start)
	}
	r, _ := utf8.DecodeRuneInString(l.text[start:])
	return fault(start, "unexpected character: %q", r)
}

func (l *labelLexer) signInBraces() labelToken {
	start := l.pos
	r, size := utf8.DecodeRuneInString(l.text[start:])
	following := rune(-1)
	if start+size < len(l.text) {
		following, _ = utf8.DecodeRuneInString(l.text[start+size:])
	}
	switch r {
	case ',', '}':
		l.pos++
		return l.token(tokenSign, start)
	case '=':
		l.pos++
		if following == '~' {
			l.pos++
			return l.token(tokenOperator, start)
		}
		return l.token(tokenSign, start)
	case '!':
		if following == '=' || following == '~' {
			l.pos += 2
			return l.token(tokenOperator, start)
		}
		return fault(start, "unexpected character after '!' inside braces: %q", following)
	case '{':
		return fault(start, "unexpected left brace %q", r)
	}
	return fault(start, "unexpected character inside braces: %q", r)
}

func (l *labelLexer) identifier() labelToken {
	start := l.pos
	for l.pos < len(l.text) && (isNameByte(l.text[l.pos]) || !l.inBraces && l.text[l.pos] == ':') {
		l.pos++
	}
	if l.inBraces {
		return l.token(tokenIdentifier, start)
	}
	switch word := strings.ToLower(l.text[start:l.pos]); {
	case word == "inf" || word == "nan":
		return l.token(tokenNumber, start)
	case keywords[word] || notMetricNames[word]:
		return l.token(tokenKeyword, start)
	}
	return l.token(tokenIdentifier, start)
}

// string reads a string, checking all that unquoteLabel relies on.
func (l *labelLexer) string(quote byte) labelToken {
	start := l.pos
	l.pos++
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; {
		case c == quote:
			l.pos++
			return l.token(tokenString, start)
		case c == '\\' && quote != '`':
			if what := l.escape(quote); what != "" {
				return fault(start, "%s", what)
			}
		case c == '\n' && quote != '`':
			return fault(start, "unterminated quoted string")
		case c < utf8.RuneSelf:
			l.pos++
		default:
			r, size := utf8.DecodeRuneInString(l.text[l.pos:])
			if r == utf8.RuneError && size == 1 {
				return fault(start, "invalid UTF-8 rune")
			}
			l.pos += size
		}
	}
	if quote == '`' {
		return fault(start, "unterminated raw string")
	}
	return fault(start, "unterminated quoted string")
}

// escape steps over the escape sequence at the backslash, or says what is wrong with it.
func (l *labelLexer) escape(quote byte) string {
	l.pos++
	rest := l.text[l.pos:]
	if rest == "" {
		return "escape sequence not terminated"
	}
	var digits, base int
	skip := 1
	switch c := rest[0]; {
	case strings.IndexByte(`abfnrtv\`, c) >= 0 || c == quote:
		l.pos++
		return ""
	case '0' <= c && c <= '7':
		digits, base, skip = 3, 8, 0
	case c == 'x':
		digits, base = 2, 16
	case c == 'u':
		digits, base = 4, 16
	case c == 'U':
		digits, base = 8, 16
	default:
		r, _ := utf8.DecodeRuneInString(rest)
		return fmt.Sprintf("unknown escape sequence %#U", r)
	}
	rest = rest[skip:]
	var value uint32
	for i := range digits {
		if i >= len(rest) {
			return "escape sequence not terminated"
		}
		d := digitValue(rest[i])
		if d >= base {
			r, _ := utf8.DecodeRuneInString(rest[i:])
			return fmt.Sprintf("illegal character %#U in escape sequence", r)
		}
		value = value*uint32(base) + uint32(d)
	}
	l.pos += skip + digits
	if digits <= 3 && value > 255 || value > unicode.MaxRune || 0xD800 <= value && value < 0xE000 {
		return "escape sequence is an invalid Unicode code point"
	}
	return ""
}

// digitValue returns the value of a digit, 16 for what is none.
func digitValue(c byte) int {
	switch c = lowerASCII(c); {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return 16
}
