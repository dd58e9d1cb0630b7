// Package syntax turns LogQL into a tree and back. It owns the grammar and nothing of its meaning: what a tree evaluates
// to, and which trees can be evaluated at all, is decided by the packages above.
//
// The grammar is Loki's, whole: selectors, every line filter, parser and label filter, range and vector aggregations,
// binary operations with matching. A lexer (lex.go) cuts the text into tokens; a recursive descent parser (parse_*.go)
// builds the tree of ast.go and stage.go; check.go refuses trees that are grammatical and still mean nothing. The printer
// (print.go) writes any tree so that Parse reads it back unchanged.
//
// Two things hold for every input. It cannot hurt the process: length, depth, number of operators and the compiled size of
// its regular expressions are bounded (limits.go). And what it is told is Loki's text, for people and tools know those;
// where Loki would show a Go type name, or no line number, ours says it properly.
package syntax

import (
	"errors"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// Parse reads a query. The error is a *ParseError.
func Parse(text string) (Expr, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	e, err := p.query()
	if err != nil {
		last := p.lastTaken() // an argument that cannot be used is refused right behind it
		place(err, p.tokens[last].offset, p.endOf(last))
		return nil, err
	}
	if err := p.check(e); err != nil {
		return nil, err
	}
	if p.stageFault != nil {
		return nil, p.stageFault
	}
	return e, nil
}

// ParseMatchers reads a selector alone, one that a query would accept. The error is a *ParseError.
func ParseMatchers(text string) ([]*labels.Matcher, error) {
	ms, err := ParseSelector(text)
	if err != nil {
		return nil, err
	}
	if err := checkMatchers(ms); err != nil {
		return nil, err
	}
	return ms, nil
}

// ParseSelector reads a selector alone, where one that selects everything is allowed too: {}, {app=~".*"}. The error is a
// *ParseError.
func ParseSelector(text string) ([]*labels.Matcher, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	e, err := p.query()
	if err != nil {
		return nil, err
	}
	if l, ok := e.(*LogExpr); ok && len(l.Stages) == 0 {
		return l.Matchers, nil
	}
	return nil, &ParseError{Msg: "only label matchers are supported", bare: true}
}

// parser reads one query. Methods named after a grammar rule start at its first token and end behind its last.
type parser struct {
	text       string
	tokens     []token
	i          int // of the current token
	depth      int
	operators  int
	regexpCost int
	// faults holds what is wrong with the meaning of a node. A fault of the grammar anywhere goes first, then the fault
	// of the outermost, leftmost node.
	faults map[Expr]*ParseError
	// stageFault is the first fault of a stage's argument, said when there is nothing else to say.
	stageFault error
	stageStart int        // offset of the stage that is being read
	spans      []nodeSpan // of operands, to tell where a fault of the meaning is
}

// nodeSpan says which tokens a part of the query was read from.
type nodeSpan struct {
	e           Expr
	first, last int
}

func newParser(text string) (*parser, error) {
	if len(text) >= queryBytesMax {
		return nil, meaningErrorf("input size too long (%d > %d)", len(text), queryBytesMax)
	}
	return &parser{text: text, tokens: lex(text), faults: map[Expr]*ParseError{}}, nil
}

// query = expr EOF .
func (p *parser) query() (Expr, error) {
	e, err := p.expr(1)
	if err != nil {
		return nil, err
	}
	if !p.at(kindEOF) {
		return nil, p.unexpected()
	}
	return e, nil
}

// cur returns the current token.
func (p *parser) cur() token { return p.tokens[p.i] }

// peek returns the token n behind the current one, or the last.
func (p *parser) peek(n int) token { return p.tokens[min(p.i+n, len(p.tokens)-1)] }

func (p *parser) at(ks ...kind) bool { return slices.Contains(ks, p.cur().kind) }

// take returns the current token and moves on. The last token stays.
func (p *parser) take() token {
	t := p.cur()
	if p.i < len(p.tokens)-1 {
		p.i++
	}
	return t
}

// accept moves on when the current token is of kind k.
func (p *parser) accept(k kind) bool {
	if !p.at(k) {
		return false
	}
	p.take()
	return true
}

// expect takes a token of kind k or fails, naming what could have stood here.
func (p *parser) expect(k kind, expected ...string) (token, error) {
	if !p.at(k) {
		return token{}, p.unexpected(expected...)
	}
	return p.take(), nil
}

// unexpected is the fault of the current token. Up to four expected ones are named, as Loki's generated parser does; a
// caller that knows of more names none.
func (p *parser) unexpected(expected ...string) error {
	t := p.cur()
	if t.kind == kindError {
		return errorAt(p.text, t.offset, t.text)
	}
	msg := "syntax error: unexpected " + t.display()
	if len(expected) > 0 {
		msg += ", expecting " + strings.Join(expected, " or ")
	}
	return errorAt(p.text, t.offset, msg)
}

// enter counts one level of nesting; its result must be called on leaving.
func (p *parser) enter() (func(), error) {
	if p.depth++; p.depth > depthMax {
		return nil, errorAt(p.text, p.cur().offset, "expressions are nested too deep")
	}
	return func() { p.depth-- }, nil
}

// lastTaken returns the index of the token before the current one.
func (p *parser) lastTaken() int { return max(p.i-1, 0) }

// endOf returns where the text of a token ends.
func (p *parser) endOf(i int) int { return tokenEnd(p.text, p.tokens[i].offset) }

// span returns the first and last token of a part of the query.
func (p *parser) span(e Expr) (first, last int) {
	if b, ok := e.(*Binary); ok {
		first, _ = p.span(b.LHS)
		_, last = p.span(b.RHS)
		return first, last
	}
	for _, s := range p.spans {
		if s.e == e {
			return s.first, s.last
		}
	}
	return 0, len(p.tokens) - 1
}

// placed says of a fault of the meaning which part of the query it is about.
func (p *parser) placed(e Expr, err error) error {
	if err != nil {
		first, last := p.span(e)
		place(err, p.tokens[first].offset, p.endOf(last))
	}
	return err
}

// fault notes what is wrong with the meaning of e; the first note about a node stays.
func (p *parser) fault(e Expr, err error) {
	var pe *ParseError
	if err == nil || !errors.As(err, &pe) || p.faults[e] != nil {
		return
	}
	p.faults[e] = pe
}

// noteStage keeps the first fault of a stage's argument.
func (p *parser) noteStage(err error) {
	if p.stageFault == nil && err != nil {
		place(err, p.stageStart, p.endOf(p.lastTaken()))
		p.stageFault = err
	}
}

// name takes a word. A keyword is one too, unless what follows shows that it was meant as a keyword.
func (p *parser) name(expected ...string) (string, error) {
	t, next := p.cur(), p.peek(1)
	meantSo := next.kind == kindIdentifier || next.kind >= kindBy || next.kind == kindOpenParen || next.kind == kindString
	if !t.isWord() || t.kind != kindIdentifier && meantSo {
		return "", p.unexpected(expected...)
	}
	return p.take().text, nil
}

// names = "(" [ name { "," name } ] ")" .
func (p *parser) names() ([]string, error) {
	if _, err := p.expect(kindOpenParen, "("); err != nil {
		return nil, err
	}
	var names []string
	if p.accept(kindCloseParen) {
		return names, nil
	}
	expected := []string{"IDENTIFIER", ")"}
	for {
		name, err := p.name(expected...)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		if p.accept(kindCloseParen) {
			return names, nil
		}
		if _, err := p.expect(kindComma, ",", ")"); err != nil {
			return nil, err
		}
		expected = []string{"IDENTIFIER"}
	}
}
