package syntax

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// logExpr = selector { stage } .
func (p *parser) logExpr() (*LogExpr, error) {
	l := &LogExpr{}
	var err error
	if l.Matchers, err = p.selector(); err != nil {
		return nil, err
	}
	if l.Stages, err = p.stages(l.Stages); err != nil {
		return nil, err
	}
	if p.atUnwrap() { // only a range has a value to take
		p.take()
		return nil, p.unexpected()
	}
	return l, nil
}

// selector = "{" [ matcher { "," matcher } ] "}" .
func (p *parser) selector() ([]*labels.Matcher, error) {
	if _, err := p.expect(kindOpenBrace, "{"); err != nil {
		return nil, err
	}
	var ms []*labels.Matcher
	if p.accept(kindCloseBrace) {
		return ms, nil
	}
	expected := []string{"IDENTIFIER", "}"}
	for {
		name, err := p.name(expected...)
		if err != nil {
			return nil, err
		}
		m, err := p.matcher(name)
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
		if p.accept(kindCloseBrace) {
			return ms, nil
		}
		if _, err := p.expect(kindComma, "}", ","); err != nil {
			return nil, err
		}
		expected = []string{"IDENTIFIER"}
	}
}

var matchTypes = map[kind]labels.MatchType{
	kindEqual: labels.MatchEqual, kindNotEqual: labels.MatchNotEqual, kindMatch: labels.MatchRegexp,
	kindNotMatch: labels.MatchNotRegexp,
}

// matcher = ( "=" | "!=" | "=~" | "!~" ) string , behind the name.
func (p *parser) matcher(name string) (*labels.Matcher, error) {
	t, ok := matchTypes[p.cur().kind]
	if !ok {
		return nil, p.unexpected("=", "=~", "!~", "!=")
	}
	p.take()
	value, err := p.expect(kindString, "STRING")
	if err != nil {
		return nil, err
	}
	return p.newMatcher(t, name, value.text)
}

func (p *parser) newMatcher(t labels.MatchType, name, value string) (*labels.Matcher, error) {
	if t == labels.MatchRegexp || t == labels.MatchNotRegexp {
		if err := p.checkRegexp(value); err != nil {
			return nil, meaningErrorf("%s", err)
		}
	}
	m, err := labels.NewMatcher(t, name, value)
	if err != nil {
		return nil, meaningErrorf("%s", err)
	}
	return m, nil
}

// logRange is the argument of a range aggregation. The range stands behind the selector or behind the pipeline; offset
// follows the range; parentheses may enclose the query or all of it.
type logRange struct {
	log            *LogExpr
	unwrap         *Unwrap
	ranged         bool
	length, offset time.Duration
}

// logRange = logQuery range [ offset ] [ stages ] [ unwrap ] | "(" logRange ")" | "(" logQuery ")" range [ offset ] [ unwrap ]
// where logQuery = selector [ stages ] [ unwrap ] . The range may be missing; the caller insists.
func (p *parser) logRange() (*logRange, error) {
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if p.accept(kindOpenParen) {
		return p.logRangeInParens()
	}
	r := &logRange{log: &LogExpr{}}
	if r.log.Matchers, err = p.selector(); err != nil {
		return nil, err
	}
	pipelineMayFollow := true
	if !p.at(kindRange) {
		if err := p.rangePipeline(r); err != nil {
			return nil, err
		}
		pipelineMayFollow = false
	}
	if !p.at(kindRange) {
		return r, nil
	}
	if err := p.rangeAndOffset(r); err != nil {
		return nil, err
	}
	if pipelineMayFollow {
		err = p.rangePipeline(r)
	}
	return r, err
}

func (p *parser) logRangeInParens() (*logRange, error) {
	if !p.at(kindOpenBrace, kindOpenParen) {
		return nil, p.unexpected("{", "(")
	}
	r, err := p.logRange()
	if err != nil {
		return nil, err
	}
	var expected []string
	if r.ranged {
		expected = []string{")"}
	}
	if _, err := p.expect(kindCloseParen, expected...); err != nil {
		return nil, err
	}
	if r.ranged {
		return r, nil
	}
	if !p.at(kindRange) {
		return nil, p.unexpected("RANGE")
	}
	if err := p.rangeAndOffset(r); err != nil {
		return nil, err
	}
	if len(r.log.Stages) == 0 && r.unwrap == nil && p.atUnwrap() {
		r.unwrap, err = p.unwrap()
	}
	return r, err
}

// rangeAndOffset = range [ "offset" duration ] .
func (p *parser) rangeAndOffset(r *logRange) error {
	r.length = p.take().dur
	r.ranged = true
	if !p.accept(kindOffset) {
		return nil
	}
	t, err := p.expect(kindDuration, "DURATION")
	r.offset = t.dur
	return err
}

// rangePipeline = { stage } [ unwrap ] .
func (p *parser) rangePipeline(r *logRange) error {
	var err error
	if r.log.Stages, err = p.stages(r.log.Stages); err != nil {
		return err
	}
	if p.atUnwrap() {
		r.unwrap, err = p.unwrap()
	}
	return err
}

func (p *parser) atUnwrap() bool { return p.at(kindPipe) && p.peek(1).kind == kindUnwrap }

// unwrap = "|" "unwrap" ( name | conversion "(" name ")" ) { "|" labelFilter } .
func (p *parser) unwrap() (*Unwrap, error) {
	p.take()
	p.take()
	u := &Unwrap{}
	var err error
	if p.at(kindConversion) {
		u.Conversion = conversionNames[lowerText(p.take())]
		if _, err := p.expect(kindOpenParen, "("); err != nil {
			return nil, err
		}
		if u.Label, err = p.name("IDENTIFIER"); err != nil {
			return nil, err
		}
		if _, err := p.expect(kindCloseParen, ")"); err != nil {
			return nil, err
		}
	} else if u.Label, err = p.name("IDENTIFIER", "BYTES_CONV", "DURATION_CONV", "DURATION_SECONDS_CONV"); err != nil {
		return nil, err
	}
	for p.accept(kindPipe) {
		f, err := p.labelFilter()
		if err != nil {
			return nil, err
		}
		u.Filters = append(u.Filters, f)
	}
	return u, nil
}
