package syntax

import (
	"strconv"
	"strings"

	"github.com/grafana/regexp"
)

// expr = operand { binaryOp modifiers operand } , by precedence climbing: operators of at least minPrecedence are taken.
func (p *parser) expr(minPrecedence int) (Expr, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for {
		op, ok := binaryOps[p.cur().kind]
		if !ok || op.precedence() < minPrecedence {
			return left, nil
		}
		if p.operators++; p.operators > operatorsMax {
			return nil, errorAt(p.text, p.cur().offset, "too many binary operators")
		}
		p.take()
		b := &Binary{Op: op, LHS: left}
		if err := p.modifiers(b); err != nil {
			return nil, err
		}
		rightPrecedence := op.precedence() + 1
		if op == OpPow {
			rightPrecedence = op.precedence() // right associative
		}
		if b.RHS, err = p.exprDeeper(rightPrecedence); err != nil {
			return nil, err
		}
		p.fault(b, checkBinary(b))
		left = b
	}
}

// exprDeeper is expr one level down, so that a chain of ^ is bounded like one of parentheses.
func (p *parser) exprDeeper(minPrecedence int) (Expr, error) {
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return p.expr(minPrecedence)
}

// modifiers = [ "bool" ] [ ( "on" | "ignoring" ) names [ ( "group_left" | "group_right" ) [ names ] ] ] .
func (p *parser) modifiers(b *Binary) error {
	b.Bool = p.accept(kindBool)
	if !p.at(kindOn, kindIgnoring) {
		return nil
	}
	m := &Matching{On: p.take().kind == kindOn}
	var err error
	if m.Labels, err = p.names(); err != nil {
		return err
	}
	b.Matching = m
	switch {
	case p.accept(kindGroupLeft):
		m.Card = ManyToOne
	case p.accept(kindGroupRight):
		m.Card = OneToMany
	default:
		return nil
	}
	if p.at(kindOpenParen) {
		m.Include, err = p.names()
	}
	return err
}

// operand = log query | number | aggregation | vector(n) | label_replace(…) | "(" expr ")" .
func (p *parser) operand() (Expr, error) {
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	first := p.i
	e, err := p.operandAt()
	if err == nil {
		p.spans = append(p.spans, nodeSpan{e, first, p.lastTaken()})
	}
	return e, err
}

func (p *parser) operandAt() (Expr, error) {
	switch p.cur().kind {
	case kindOpenBrace:
		return p.logExpr()
	case kindNumber, kindAdd, kindSub:
		return p.literal()
	case kindRangeOp:
		return p.rangeAggregation()
	case kindVectorOp:
		return p.vectorAggregation()
	case kindVector:
		return p.vector()
	case kindLabelReplace:
		return p.labelReplace()
	case kindOpenParen:
		p.take()
		e, err := p.expr(1)
		if err != nil {
			return nil, err
		}
		_, err = p.expect(kindCloseParen)
		return e, err
	}
	return nil, p.unexpected()
}

// literal = [ "+" | "-" ] number .
func (p *parser) literal() (*Literal, error) {
	negative := p.at(kindSub)
	if p.at(kindAdd, kindSub) {
		p.take()
	}
	t, err := p.expect(kindNumber, "NUMBER")
	if err != nil {
		return nil, err
	}
	v, err := strconv.ParseFloat(t.text, 64)
	if err != nil {
		return nil, meaningErrorf("unable to parse literal as a float: %s", err)
	}
	if negative {
		v = -v
	}
	return &Literal{Value: v}, nil
}

// vector = "vector" "(" number ")" .
func (p *parser) vector() (Expr, error) {
	p.take()
	if _, err := p.expect(kindOpenParen, "("); err != nil {
		return nil, err
	}
	t, err := p.expect(kindNumber, "NUMBER")
	if err != nil {
		return nil, err
	}
	v, err := strconv.ParseFloat(t.text, 64)
	if err != nil {
		return nil, meaningErrorf("unable to parse vectorExpr as a float: %s", err)
	}
	if _, err := p.expect(kindCloseParen, ")"); err != nil {
		return nil, err
	}
	return &Vector{Value: v}, nil
}

// labelReplace = "label_replace" "(" expr "," string "," string "," string "," string ")" .
func (p *parser) labelReplace() (Expr, error) {
	p.take()
	if _, err := p.expect(kindOpenParen, "("); err != nil {
		return nil, err
	}
	inner, err := p.metricExpr()
	if err != nil {
		return nil, err
	}
	var args [4]string
	for i := range args {
		expected := []string{","}
		if i == 0 { // an operator could have stood here as well
			expected = nil
		}
		if _, err := p.expect(kindComma, expected...); err != nil {
			return nil, err
		}
		t, err := p.expect(kindString, "STRING")
		if err != nil {
			return nil, err
		}
		args[i] = t.text
	}
	if _, err := p.expect(kindCloseParen, ")"); err != nil {
		return nil, err
	}
	e := &LabelReplace{Expr: inner, Dst: args[0], Replacement: args[1], Source: args[2], Regexp: args[3]}
	if err := p.checkRegexp(e.Regexp); err != nil {
		p.fault(e, meaningErrorf("invalid regex in label_replace: %s", err))
	} else if _, err := regexp.Compile("^(?:" + e.Regexp + ")$"); err != nil {
		p.fault(e, meaningErrorf("invalid regex in label_replace: %s", err))
	}
	return e, nil
}

// metricExpr is an expr that must not be a log query. Behind one, nothing but the end of the query fits.
func (p *parser) metricExpr() (Expr, error) {
	e, err := p.exprDeeper(1)
	if err != nil {
		return nil, err
	}
	if IsLog(e) {
		return nil, p.unexpected()
	}
	return e, nil
}

// grouping = ( "by" | "without" ) names .
func (p *parser) grouping() (*Grouping, error) {
	if !p.at(kindBy, kindWithout) {
		return nil, nil
	}
	g := &Grouping{Without: p.take().kind == kindWithout}
	var err error
	g.Labels, err = p.names()
	return g, err
}

// vectorAggregation = op [ grouping ] "(" [ k "," ] expr ")" [ grouping ] , with one grouping at most.
func (p *parser) vectorAggregation() (Expr, error) {
	e := &VectorAggregation{Op: vectorOpNames[strings.ToLower(p.take().text)]}
	var err error
	if e.Grouping, err = p.grouping(); err != nil {
		return nil, err
	}
	if _, err := p.expect(kindOpenParen, "("); err != nil {
		return nil, err
	}
	var param *token
	if p.at(kindNumber) && p.peek(1).kind == kindComma {
		t := p.take()
		param = &t
		p.take()
	}
	if e.Expr, err = p.metricExpr(); err != nil {
		return nil, err
	}
	if _, err := p.expect(kindCloseParen); err != nil {
		return nil, err
	}
	if e.Grouping == nil {
		if e.Grouping, err = p.grouping(); err != nil {
			return nil, err
		}
	}
	p.fault(e, e.setParam(param))
	return e, nil
}

// setParam takes over k, and says when the operation wants none or another.
func (e *VectorAggregation) setParam(param *token) error {
	if !e.Op.TakesK() {
		if param != nil {
			return meaningErrorf("unsupported parameter for operation %s(%s,", e.Op, param.text)
		}
		return nil
	}
	if param == nil {
		return meaningErrorf("parameter required for operation %s", e.Op)
	}
	k, err := strconv.Atoi(param.text)
	if err != nil {
		return meaningErrorf("invalid parameter %s(%s,", e.Op, param.text)
	}
	if k <= 0 {
		return meaningErrorf("invalid parameter (must be greater than 0) %s(%s", e.Op, param.text)
	}
	e.K = k
	return nil
}

// rangeAggregation = op "(" [ number "," ] logRange ")" [ grouping ] .
func (p *parser) rangeAggregation() (Expr, error) {
	e := &RangeAggregation{Op: rangeOpNames[strings.ToLower(p.take().text)]}
	if _, err := p.expect(kindOpenParen, "("); err != nil {
		return nil, err
	}
	var param *token
	if p.at(kindNumber) {
		t := p.take()
		param = &t
		if _, err := p.expect(kindComma, ","); err != nil {
			return nil, err
		}
	}
	if !p.at(kindOpenBrace, kindOpenParen) {
		if param != nil {
			return nil, p.unexpected("{", "(")
		}
		return nil, p.unexpected("NUMBER", "{", "(")
	}
	r, err := p.logRange()
	if err != nil {
		return nil, err
	}
	if !r.ranged {
		if r.unwrap != nil && len(r.unwrap.Filters) == 0 {
			return nil, p.unexpected("RANGE", "|")
		}
		return nil, p.unexpected()
	}
	if _, err := p.expect(kindCloseParen, ")"); err != nil {
		return nil, err
	}
	e.Log, e.Range, e.Offset, e.Unwrap = r.log, r.length, r.offset, r.unwrap
	if e.Grouping, err = p.grouping(); err != nil {
		return nil, err
	}
	p.fault(e, e.setParam(param))
	p.fault(e, checkRangeAggregation(e))
	return e, nil
}

// setParam takes over the quantile, and says when the operation wants none.
func (e *RangeAggregation) setParam(param *token) error {
	switch {
	case e.Op != OpQuantileOverTime && param != nil:
		return meaningErrorf("parameter %s not supported for operation %s", param.text, e.Op)
	case e.Op == OpQuantileOverTime && param == nil:
		return meaningErrorf("parameter required for operation %s", e.Op)
	case param == nil:
		return nil
	}
	v, err := strconv.ParseFloat(param.text, 64)
	if err != nil {
		return meaningErrorf("invalid parameter for operation %s: %s", e.Op, err)
	}
	e.Param = v
	return nil
}
