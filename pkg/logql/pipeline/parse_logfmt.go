package pipeline

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/woodshed-logs/woodshed/pkg/internal/jsontext"
	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// logfmtOp is | logfmt: every key=value and key="value" becomes a label. Without --strict a pair that is broken is passed
// over, up to the next white space; with it nothing behind the fault is read, and the entry gets an error. Without
// --keep-empty keys without a value make no labels.
//
// With a list, | logfmt a, b="c", the keys of the list alone are read, and it says what their labels are called. What is not
// there becomes an empty label; of several values the last one counts.
//
// As in jsonOp, each key tells which one to expect behind it, and the line is read until nobody waits for more; with a list
// to its end.
type logfmtOp struct {
	finder    finder
	strict    bool
	keepEmpty bool
	list      []logfmtExtraction // nil: all keys
	keys      map[string]*logfmtKey
	first     *logfmtKey // the one that came first last time
}

// logfmtExtraction is a key of the list.
type logfmtExtraction struct {
	label, key string
	name       *foundName
	done       bool // no value of the current line is taken
	at         int  // the own label of the current line that takes it; below 0: it is not made yet
}

// logfmtKey is what was learned of a key.
type logfmtKey struct {
	token  keyToken   // as it stands in the line, with the equals sign
	name   *foundName // of its value; nil when nobody reads it, or there is a list
	listed []int      // in the list
	isRead bool       // there is a name, or it is in the list
	next   *logfmtKey // the one that followed it last time
}

// logfmtKeysMax bounds the keys that are remembered from line to line.
const logfmtKeysMax = 4096

// unreadPair is every key whose value nobody reads, and that is not worth remembering.
var unreadPair = &logfmtKey{}

// logfmtFault is what is wrong with a pair, "" when nothing is.
type logfmtFault string

// The faults as Loki names them in __error_details__.
const (
	faultEquals     logfmtFault = "unexpected '='"
	faultQuote      logfmtFault = `unexpected '"'`
	faultKey        logfmtFault = "invalid key"
	faultQuoted     logfmtFault = "invalid quoted value"
	faultUnfinished logfmtFault = "unterminated quoted value"
)

func newLogfmtOp(s *syntax.Logfmt) (op, error) {
	o := &logfmtOp{strict: s.Strict, keepEmpty: s.KeepEmpty}
	for _, e := range s.Extractions {
		key, err := syntax.ParseLogfmtKey(e.Path)
		if err != nil {
			return nil, err
		}
		o.list = append(o.list, logfmtExtraction{label: e.Label, key: key})
	}
	return o, nil
}

func (o *logfmtOp) prepare(w *wanted) {
	o.finder.prepare(w)
	o.keys, o.first = map[string]*logfmtKey{}, nil
	for i := range o.list {
		o.list[i].name = o.finder.remember(o.list[i].label)
	}
}

func (o *logfmtOp) apply(r *row) bool {
	if len(o.keys) > logfmtKeysMax {
		o.prepare(r.wanted)
	}
	o.finder.begin(r)
	if o.list != nil {
		o.beginList(r)
	}
	line := bytesOf(r.Line)
	var last *logfmtKey // the key before
	for i := 0; o.finder.waits > 0; {
		for i < len(line) && line[i] <= ' ' {
			i++
		}
		key := o.first
		if last != nil {
			key = last.next
		}
		if key != nil && !key.isRead && !o.strict {
			i, key = key.skip(line, i, &last)
		}
		if i == len(line) {
			return true
		}
		var fault logfmtFault
		if key != nil && key.token.begins(line, i) {
			i += len(key.token.text)
		} else if key, i, fault = o.key(r, last, key, i); key == nil && fault == "" {
			continue // a key without a value
		}
		if fault == "" {
			last = key
			from := i
			if !key.isRead && !o.strict && i < len(line) && line[i] != '"' {
				i = logfmtBlank(line, i) // right or wrong, the pair ends there
				continue
			}
			var ascii bool
			if i, ascii = logfmtWord(line, i); i == len(line) || line[i] <= ' ' {
				if key.isRead {
					o.give(r, key, r.Line[from:i], ascii)
				}
				continue
			}
			i, fault = o.quoted(r, key, from, i)
		}
		if fault != "" && o.strict {
			r.fail(classLogfmt, logfmtDetails(r, i, fault))
			return true
		}
		if fault != "" && fault != faultQuoted {
			i = logfmtBlank(line, i)
		}
	}
	return true
}

// beginList makes the labels of the list empty. Where the stream has their names nothing is made before there is a value,
// nor then when an earlier stage has made name_extracted.
func (o *logfmtOp) beginList(r *row) {
	for i := range o.list {
		e := &o.list[i]
		clashes, made := o.finder.taken(r, e.name)
		e.done, e.at = made, -1
		if !clashes && e.name.wanted {
			e.at = r.set(e.name.text, "")
		}
		o.finder.waits = math.MaxInt // for the last of several values
	}
}

// skip passes over the pairs that are expected and that nobody reads, from the key at i on, and returns the key that is
// expected behind them. last becomes the one before that.
func (k *logfmtKey) skip(line []byte, i int, last **logfmtKey) (end int, next *logfmtKey) {
	for !k.isRead && k.token.begins(line, i) {
		value := i + len(k.token.text)
		if value < len(line) && line[value] == '"' {
			break
		}
		*last = k
		for i = logfmtBlank(line, value); i < len(line) && line[i] <= ' '; {
			i++ // right or wrong, the pair ended there
		}
		if k = k.next; k == nil {
			break
		}
	}
	return i, k
}

// logfmtBlank returns the index of the next white space.
func logfmtBlank(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if found := blankBytes(binary.LittleEndian.Uint64(b[i:])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] > ' ' {
		i++
	}
	return i
}

// blankBytes is zeroBytes for all bytes up to a space.
func blankBytes(w uint64) uint64 { return (w - (' '+1)*eachByte) &^ w & highBits }

// logfmtWord returns the index of what ends the key or value at i that has no quotes, rightly or not: white space, an equals
// sign, a quote. It also reports whether all before that is ASCII.
func logfmtWord(b []byte, i int) (end int, ascii bool) {
	seen := uint64(0)
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if found := blankBytes(w) | zeroBytes(w^'='*eachByte) | zeroBytes(w^'"'*eachByte); found != 0 {
			before := found&-found - 1 // all bits below the lowest that is set
			return i + bits.TrailingZeros64(found)/8, (seen|w&(before>>7))&highBits == 0
		}
		seen |= w
	}
	for i < len(b) && b[i] > ' ' && b[i] != '=' && b[i] != '"' {
		seen |= uint64(b[i])
		i++
	}
	return i, seen&highBits == 0
}

// key reads the key at i, which is not the one that was expected, and returns the index behind its equals sign. A key without
// one is nil. At a fault the index is that of the fault.
func (o *logfmtOp) key(r *row, last, expected *logfmtKey, i int) (key *logfmtKey, end int, fault logfmtFault) {
	line := r.Line
	if expected != nil && expected.next != nil && expected.next.token.begins(bytesOf(line), i) {
		return expected.next, i + len(expected.next.token.text), "" // the one expected is not always there
	}
	end, _ = logfmtWord(bytesOf(line), i)
	text := line[i:end]
	switch {
	case end < len(line) && line[end] == '"':
		return nil, end, faultQuote
	case end < len(line) && line[end] == '=':
		if text == "" {
			return nil, end, faultEquals
		}
		key, known := o.keys[text]
		if !known {
			if strings.ContainsRune(text, utf8.RuneError) {
				return nil, end, faultKey
			}
			key = o.learn(text)
		}
		switch {
		case key == unreadPair || last == unreadPair:
		case last != nil:
			last.next = key
		default:
			o.first = key
		}
		return key, end + 1, ""
	case strings.ContainsRune(text, utf8.RuneError):
		return nil, end, faultKey
	}
	if o.keepEmpty || o.list != nil {
		o.give(r, o.learn(text), "", true)
	}
	return nil, end, ""
}

// learn returns what is known of a key.
func (o *logfmtOp) learn(text string) *logfmtKey {
	if key, ok := o.keys[text]; ok {
		return key
	}
	key := &logfmtKey{token: newKeyToken(text + "=")}
	name := appendLabelName(nil, text)
	if o.list == nil {
		key.name = o.finder.name(name)
	}
	for i := range o.list {
		if e := &o.list[i]; e.key == text || e.key == string(name) {
			key.listed = append(key.listed, i)
		}
	}
	key.isRead = key.name != nil || key.listed != nil
	if !key.isRead && len(o.keys) >= logfmtKeysMax {
		return unreadPair // the keys that are read stay known, however many others there are
	}
	o.keys[key.token.text[:len(text)]] = key
	return key
}

// quoted reads the value at i when it is in quotes, and returns the index behind it; at a fault, that of the fault. A value
// without quotes has one where its text ends.
func (o *logfmtOp) quoted(r *row, key *logfmtKey, i, textEnd int) (end int, fault logfmtFault) {
	switch {
	case r.Line[textEnd] == '=':
		return textEnd, faultEquals
	case textEnd > i:
		return textEnd, faultQuote
	}
	if end = jsontext.StringEnd(r.Line, i+1); end < 0 {
		return len(r.Line), faultUnfinished
	}
	raw := r.Line[i+1 : end-1]
	if (key.isRead || o.strict) && strings.IndexByte(raw, '\\') >= 0 {
		unescaped, ok := appendUnescaped(r.scratch[:0], raw, &logfmtEscapes)
		if r.scratch = unescaped; !ok {
			return end, faultQuoted
		}
		if key.isRead {
			raw = r.text(unescaped)
		}
	}
	if key.isRead {
		o.give(r, key, raw, isPlain(raw))
	}
	return end, ""
}

// logfmtEscapes are those of JSON and the apostrophe.
var logfmtEscapes = func() [256]byte {
	escapes := jsonEscapes
	escapes['\''] = '\''
	return escapes
}()

// give makes the labels of a value.
func (o *logfmtOp) give(r *row, key *logfmtKey, value string, valid bool) {
	if !valid {
		value = validText(r, value)
	}
	if key.name != nil && (o.keepEmpty || value != "") {
		if l := o.finder.claim(r, key.name); l != nil {
			l.Value = value
		}
	}
	for _, i := range key.listed {
		switch e := &o.list[i]; {
		case e.done:
		case e.at >= 0:
			r.own[e.at].Value = value
		default:
			o.finder.replace(r, e.name, value)
		}
	}
}

// logfmtDetails says where a fault is, counting bytes from one.
func logfmtDetails(r *row, i int, fault logfmtFault) string {
	r.scratch = append(r.scratch[:0], "logfmt syntax error at pos "...)
	r.scratch = strconv.AppendInt(r.scratch, int64(i)+1, 10)
	r.scratch = append(r.scratch, " : "...)
	r.scratch = append(r.scratch, fault...)
	return r.text(r.scratch)
}
