package syntax

import (
	"strings"
	"time"
)

// kind classifies a token.
type kind uint8

const (
	kindEOF kind = iota
	kindError
	kindIdentifier
	kindString
	kindNumber
	kindDuration
	kindBytes
	kindRange // [5m] as a whole
	kindFlag  // --strict, --keep-empty

	kindOpenBrace
	kindCloseBrace
	kindOpenParen
	kindCloseParen
	kindComma
	kindDot
	kindPipe
	kindPipeEqual   // |=
	kindPipeMatch   // |~
	kindPipePattern // |>
	kindNotPattern  // !>
	kindEqual       // =
	kindMatch       // =~
	kindNotMatch    // !~
	kindCompareEqual
	kindNotEqual
	kindGreater
	kindGreaterEqual
	kindLess
	kindLessEqual
	kindAdd
	kindSub
	kindMul
	kindDiv
	kindMod
	kindPow

	// Words with a meaning. Where the grammar wants a name, they are names.
	kindBy
	kindWithout
	kindBool
	kindOffset
	kindOn
	kindIgnoring
	kindGroupLeft
	kindGroupRight
	kindOr
	kindAnd
	kindUnless
	kindUnwrap
	// The stages, from kindJSON to kindKeep.
	kindJSON
	kindRegexp
	kindLogfmt
	kindUnpack
	kindPattern
	kindLabelFormat
	kindLineFormat
	kindDecolorize
	kindDrop
	kindKeep

	// Words with a meaning only in front of a parenthesis or a grouping.
	kindIP
	kindLabelReplace
	kindVector
	kindRangeOp
	kindVectorOp
	kindConversion
)

// token is one lexical element. It is small: a query may have a hundred thousand.
type token struct {
	kind   kind
	offset int           // of its first byte
	text   string        // as written; of a string: its value; of an error: the message
	dur    time.Duration // of kindDuration and kindRange
	bytes  uint64        // of kindBytes
}

// symbols are the tokens that are neither words nor literals, longest first where one is a prefix of another.
var symbols = []struct {
	text string
	kind kind
}{
	{"|=", kindPipeEqual}, {"|~", kindPipeMatch}, {"|>", kindPipePattern}, {"|", kindPipe},
	{"!=", kindNotEqual}, {"!~", kindNotMatch}, {"!>", kindNotPattern},
	{"==", kindCompareEqual}, {"=~", kindMatch}, {"=", kindEqual},
	{">=", kindGreaterEqual}, {">", kindGreater}, {"<=", kindLessEqual}, {"<", kindLess},
	{"{", kindOpenBrace}, {"}", kindCloseBrace}, {"(", kindOpenParen}, {")", kindCloseParen},
	{",", kindComma}, {".", kindDot},
	{"+", kindAdd}, {"-", kindSub}, {"*", kindMul}, {"/", kindDiv}, {"%", kindMod}, {"^", kindPow},
}

// keywords are words with a meaning wherever they stand, in lower case; case does not matter.
var keywords = map[string]kind{
	"by": kindBy, "without": kindWithout, "bool": kindBool, "offset": kindOffset, "on": kindOn, "ignoring": kindIgnoring,
	"group_left": kindGroupLeft, "group_right": kindGroupRight, "or": kindOr, "and": kindAnd, "unless": kindUnless,
	"json": kindJSON, "regexp": kindRegexp, "logfmt": kindLogfmt, "unpack": kindUnpack, "pattern": kindPattern,
	"label_format": kindLabelFormat, "line_format": kindLineFormat, "unwrap": kindUnwrap, "decolorize": kindDecolorize,
	"drop": kindDrop, "keep": kindKeep,
}

// functions are words with a meaning only in front of "(", "by (" or "without (".
var functions = func() map[string]kind {
	m := map[string]kind{"ip": kindIP, "vector": kindVector, "label_replace": kindLabelReplace}
	for name := range rangeOpNames {
		m[name] = kindRangeOp
	}
	for name := range vectorOpNames {
		m[name] = kindVectorOp
	}
	for name := range conversionNames {
		m[name] = kindConversion
	}
	return m
}()

// isWord reports whether the token can be a name: one that is written like it, and is no function in front of its "(".
func (t token) isWord() bool { return t.kind == kindIdentifier || t.kind >= kindBy && t.kind < kindIP }

// display is how error texts call the token, which is how Loki's generated parser calls it.
func (t token) display() string {
	switch t.kind {
	case kindEOF:
		return "$end"
	case kindRangeOp, kindVectorOp, kindConversion, kindVector:
		name := strings.ToUpper(t.text)
		if t.kind == kindConversion {
			name += "_CONV"
		}
		return name
	case kindIdentifier, kindString, kindNumber, kindDuration, kindBytes, kindRange, kindFlag:
		return literalNames[t.kind]
	}
	return strings.ToLower(t.text)
}

var literalNames = map[kind]string{
	kindIdentifier: "IDENTIFIER", kindString: "STRING", kindNumber: "NUMBER", kindDuration: "DURATION", kindBytes: "BYTES",
	kindRange: "RANGE", kindFlag: "FUNCTION_FLAG",
}

// binaryOps maps tokens to operators between metric expressions.
var binaryOps = map[kind]BinaryOp{
	kindOr: OpOr, kindAnd: OpAnd, kindUnless: OpUnless, kindCompareEqual: OpEqual, kindNotEqual: OpNotEqual,
	kindGreater: OpGreater, kindGreaterEqual: OpGreaterEqual, kindLess: OpLess, kindLessEqual: OpLessEqual, kindAdd: OpAdd,
	kindSub: OpSub, kindMul: OpMul, kindDiv: OpDiv, kindMod: OpMod, kindPow: OpPow,
}

// lineFilterOps maps tokens to line filters.
var lineFilterOps = map[kind]LineFilterOp{
	kindPipeEqual: LineContains, kindNotEqual: LineNotContains, kindPipeMatch: LineMatches, kindNotMatch: LineNotMatches,
	kindPipePattern: LinePattern, kindNotPattern: LineNotPattern,
}

// compareOps maps tokens to typed label filters; one "=" is as good as two.
var compareOps = map[kind]CompareOp{
	kindEqual: CompareEqual, kindCompareEqual: CompareEqual, kindNotEqual: CompareNotEqual, kindGreater: CompareGreater,
	kindGreaterEqual: CompareGreaterEqual, kindLess: CompareLess, kindLessEqual: CompareLessEqual,
}
