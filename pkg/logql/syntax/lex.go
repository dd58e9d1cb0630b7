package syntax

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	prommodel "github.com/prometheus/common/model"
)

// lexer cuts a query into tokens. The first fault becomes a kindError token, and the last one.
type lexer struct {
	text   string
	offset int
	tokens []token
}

// lex returns the tokens of text, ending with one of kindEOF or kindError.
func lex(text string) []token {
	lx := &lexer{text: text, tokens: make([]token, 0, 16+len(text)/4)}
	for {
		t := lx.next()
		lx.tokens = append(lx.tokens, t)
		if t.kind == kindEOF || t.kind == kindError {
			break
		}
	}
	resolveFunctions(lx.tokens)
	return lx.tokens
}

// resolveFunctions turns words such as sum and rate back into names where no parenthesis or grouping follows them.
func resolveFunctions(tokens []token) {
	kindAt := func(i int) kind {
		if i >= len(tokens) {
			return kindEOF
		}
		return tokens[i].kind
	}
	for i := range tokens {
		if tokens[i].kind < kindIP {
			continue
		}
		next := kindAt(i + 1)
		grouping := (next == kindBy || next == kindWithout) && kindAt(i+2) == kindOpenParen
		if next != kindOpenParen && !grouping {
			tokens[i].kind = kindIdentifier
		}
	}
}

func (lx *lexer) next() token {
	if t, ok := lx.skipBlank(); !ok {
		return t
	}
	start := lx.offset
	if start == len(lx.text) {
		return token{kind: kindEOF, offset: start}
	}
	switch c := lx.text[start]; {
	case c == '"' || c == '`':
		return lx.str(c)
	case c == '[':
		return lx.rangeSelector()
	case isDigit(c), c == '.' && lx.digitAt(start+1):
		return lx.number()
	case c == '-':
		if t, ok := lx.dash(); ok {
			return t
		}
	}
	for _, s := range symbols {
		if strings.HasPrefix(lx.text[start:], s.text) {
			lx.offset += len(s.text)
			return token{kind: s.kind, offset: start, text: s.text}
		}
	}
	return lx.word()
}

// skipBlank moves over white space and comments. It returns false with an error token at bytes that are not text.
func (lx *lexer) skipBlank() (token, bool) {
	for lx.offset < len(lx.text) {
		r, size := utf8.DecodeRuneInString(lx.text[lx.offset:])
		switch {
		case r == '#':
			end := strings.IndexByte(lx.text[lx.offset:], '\n')
			if end < 0 {
				end = len(lx.text) - lx.offset
			}
			if !utf8.ValidString(lx.text[lx.offset : lx.offset+end]) {
				return lx.fault(lx.offset, "invalid UTF-8 encoding"), false
			}
			lx.offset += end
		case unicode.IsSpace(r):
			lx.offset += size
		default:
			return token{}, true
		}
	}
	return token{}, true
}

func (lx *lexer) fault(offset int, msg string) token {
	return token{kind: kindError, offset: offset, text: msg}
}

// str reads a quoted string. Quotes allow Go's escapes and end on the same line; backticks allow neither escapes nor
// themselves.
func (lx *lexer) str(quote byte) token {
	start := lx.offset
	end := start + 1
	for ; end < len(lx.text) && lx.text[end] != quote; end++ {
		switch {
		case quote == '"' && lx.text[end] == '\n':
			return lx.fault(start, "literal not terminated")
		case quote == '"' && lx.text[end] == '\\':
			end++
		}
	}
	if end >= len(lx.text) {
		return lx.fault(start, "literal not terminated")
	}
	raw := lx.text[start : end+1]
	if !utf8.ValidString(raw) {
		return lx.fault(start, "invalid UTF-8 encoding")
	}
	lx.offset = end + 1
	if quote == '`' {
		return token{kind: kindString, offset: start, text: raw[1 : len(raw)-1]}
	}
	value, err := strconv.Unquote(raw)
	if err != nil {
		return lx.fault(start, "invalid char escape")
	}
	return token{kind: kindString, offset: start, text: value}
}

// rangeSelector reads [5m] as one token.
func (lx *lexer) rangeSelector() token {
	start := lx.offset
	length := strings.IndexByte(lx.text[start:], ']')
	if length < 0 {
		return lx.fault(start, "missing closing ']' in duration")
	}
	raw := lx.text[start : start+length+1]
	if !utf8.ValidString(raw) {
		return lx.fault(start, "invalid UTF-8 encoding")
	}
	d, err := prommodel.ParseDuration(raw[1 : len(raw)-1])
	if err != nil {
		return lx.fault(start, err.Error())
	}
	lx.offset += len(raw)
	return token{kind: kindRange, offset: start, text: raw, dur: time.Duration(d)}
}

// number reads a number, or a duration or size when a unit follows without a gap.
func (lx *lexer) number() token {
	start := lx.offset
	end := lx.numberEnd(start)
	if t, ok := lx.unitLiteral(start); ok {
		lx.offset += len(t.text)
		return t
	}
	lx.offset = end
	return token{kind: kindNumber, offset: start, text: lx.text[start:end]}
}

// numberEnd returns the end of the digits, fraction and exponent at offset i.
func (lx *lexer) numberEnd(i int) int {
	for lx.digitAt(i) {
		i++
	}
	if i < len(lx.text) && lx.text[i] == '.' {
		for i++; lx.digitAt(i); {
			i++
		}
	}
	if i < len(lx.text) && (lx.text[i] == 'e' || lx.text[i] == 'E') {
		j := i + 1
		if j < len(lx.text) && (lx.text[j] == '+' || lx.text[j] == '-') {
			j++
		}
		if lx.digitAt(j) {
			for i = j; lx.digitAt(i); {
				i++
			}
		}
	}
	return i
}

// unitLiteral reads a duration or a size at offset i, where a sign may stand.
func (lx *lexer) unitLiteral(i int) (token, bool) {
	if run := lx.run(i, "nuµmshdwy"); run != "" {
		if d, err := parseDuration(run); err == nil {
			return token{kind: kindDuration, offset: i, text: run, dur: d}, true
		}
	}
	if run := lx.run(i, "BikKMGTP"); run != "" {
		if b, err := humanize.ParseBytes(run); err == nil {
			return token{kind: kindBytes, offset: i, text: run, bytes: b}, true
		}
	}
	return token{}, false
}

// run returns the text at offset i made of a sign, digits, dots and the given letters; "" when it has no letter.
func (lx *lexer) run(i int, letters string) string {
	const unitBytesMax = 64 // Longer runs are neither a duration nor a size; without a bound they cost quadratic time.
	lettersCount := 0
	end := i
	if lx.text[end] == '-' {
		end++
	}
	for end < len(lx.text) && end-i < unitBytesMax {
		r, size := utf8.DecodeRuneInString(lx.text[end:])
		switch {
		case strings.ContainsRune(letters, r):
			lettersCount++
		case r > 0x7f || !isDigit(byte(r)) && r != '.':
			size = 0
		}
		if size == 0 {
			break
		}
		end += size
	}
	if lettersCount == 0 {
		return ""
	}
	return lx.text[i:end]
}

// parseDuration reads Prometheus' durations (1d12h), and Go's for fractions and below a millisecond (1.5h, 10us). Either
// may be negative.
func parseDuration(s string) (time.Duration, error) {
	positive, negative := strings.CutPrefix(s, "-")
	if d, err := prommodel.ParseDuration(positive); err == nil {
		if negative {
			return -time.Duration(d), nil
		}
		return time.Duration(d), nil
	}
	return time.ParseDuration(s)
}

// dash reads a parser flag or a negative duration.
func (lx *lexer) dash() (token, bool) {
	start := lx.offset
	for _, flag := range []string{flagStrict, flagKeepEmpty} {
		rest, ok := strings.CutPrefix(lx.text[start:], flag)
		if ok && !startsWord(rest) && !strings.HasPrefix(rest, "-") {
			lx.offset += len(flag)
			return token{kind: kindFlag, offset: start, text: flag}, true
		}
	}
	if !lx.digitAt(start + 1) {
		return token{}, false
	}
	t, ok := lx.unitLiteral(start)
	if !ok || t.kind != kindDuration {
		return token{}, false
	}
	lx.offset += len(t.text)
	return t, true
}

// word reads a name or keyword.
func (lx *lexer) word() token {
	start := lx.offset
	end := start
	for end < len(lx.text) {
		r, size := utf8.DecodeRuneInString(lx.text[end:])
		if !isWordRune(r) && (end == start || !unicode.IsDigit(r)) || r == utf8.RuneError && size == 1 {
			break
		}
		end += size
	}
	if end == start {
		r, size := utf8.DecodeRuneInString(lx.text[start:])
		if r == utf8.RuneError && size == 1 {
			return lx.fault(start, "invalid UTF-8 encoding")
		}
		return lx.fault(start, "syntax error: unexpected character "+strconv.QuoteRune(r))
	}
	lx.offset = end
	text := lx.text[start:end]
	lower := strings.ToLower(text)
	if k, ok := keywords[lower]; ok {
		return token{kind: k, offset: start, text: text}
	}
	if k, ok := functions[lower]; ok {
		return token{kind: k, offset: start, text: text}
	}
	return token{kind: kindIdentifier, offset: start, text: text}
}

func (lx *lexer) digitAt(i int) bool { return i < len(lx.text) && isDigit(lx.text[i]) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) }

func startsWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return isWordRune(r)
}
