package syntax

import (
	"slices"
	"strings"
)

const (
	flagStrict    = "--strict"
	flagKeepEmpty = "--keep-empty"
)

// stages = { lineFilter | "|" stage } , up to an unwrap or whatever else cannot belong to a pipeline.
func (p *parser) stages(stages []Stage) ([]Stage, error) {
	for {
		var s Stage
		var err error
		p.stageStart = p.cur().offset
		switch {
		case p.atLineFilter():
			s, err = p.lineFilter()
		case p.at(kindPipe) && !p.atUnwrap():
			p.take()
			s, err = p.pipeStage()
		default:
			return stages, nil
		}
		if err != nil {
			return nil, err
		}
		stages = append(stages, s)
	}
}

func (p *parser) atLineFilter() bool {
	_, ok := lineFilterOps[p.cur().kind]
	return ok
}

// lineFilter = op ( string | ip ) { "or" ( string | ip ) } where ip = "ip" "(" string ")" .
func (p *parser) lineFilter() (*LineFilter, error) {
	f := &LineFilter{Op: lineFilterOps[p.take().kind]}
	for {
		a, err := p.lineAlternative()
		if err != nil {
			return nil, err
		}
		f.Any = append(f.Any, a)
		if !p.accept(kindOr) {
			break
		}
	}
	p.noteStage(p.checkLineFilter(f))
	return f, nil
}

func (p *parser) lineAlternative() (LineAlternative, error) {
	if p.accept(kindIP) {
		text, err := p.ipArgument()
		return LineAlternative{Text: text, IP: true}, err
	}
	t, err := p.expect(kindString, "STRING", "ip")
	return LineAlternative{Text: t.text}, err
}

func (p *parser) ipArgument() (string, error) {
	if _, err := p.expect(kindOpenParen, "("); err != nil {
		return "", err
	}
	t, err := p.expect(kindString, "STRING")
	if err != nil {
		return "", err
	}
	_, err = p.expect(kindCloseParen, ")")
	return t.text, err
}

// pipeStage is what follows a "|".
func (p *parser) pipeStage() (Stage, error) {
	if p.atDistinct() {
		return p.distinct()
	}
	if p.atLabelFilter() {
		f, err := p.labelFilter()
		return &LabelFilterStage{Filter: f}, err
	}
	t := p.cur()
	if t.kind < kindJSON || t.kind > kindKeep {
		return nil, p.unexpected()
	}
	switch p.take(); t.kind {
	case kindJSON:
		list, err := p.extractions()
		if err != nil {
			return nil, err
		}
		s := &JSON{Extractions: list}
		p.noteStage(checkJSON(s))
		return s, nil
	case kindLogfmt:
		return p.logfmt()
	case kindRegexp:
		text, err := p.expect(kindString, "STRING")
		if err != nil {
			return nil, err
		}
		return &Regexp{Text: text.text}, p.checkRegexpStage(text.text)
	case kindPattern:
		text, err := p.expect(kindString, "STRING")
		if err != nil {
			return nil, err
		}
		return &Pattern{Text: text.text}, checkPatternStage(text.text)
	case kindUnpack:
		return &Unpack{}, nil
	case kindDecolorize:
		return &Decolorize{}, nil
	case kindLineFormat:
		text, err := p.expect(kindString, "STRING")
		if err != nil {
			return nil, err
		}
		s := &LineFormat{Template: text.text}
		p.noteStage(checkLineFormat(s))
		return s, nil
	case kindLabelFormat:
		return p.labelFormat()
	case kindDrop:
		picks, err := p.labelPicks()
		return &Drop{Labels: picks}, err
	default: // kindKeep
		picks, err := p.labelPicks()
		return &Keep{Labels: picks}, err
	}
}

// logfmt = "logfmt" { flag } [ extractions ] .
func (p *parser) logfmt() (Stage, error) {
	s := &Logfmt{}
	for p.at(kindFlag) {
		if p.take().text == flagStrict {
			s.Strict = true
		} else {
			s.KeepEmpty = true
		}
	}
	var err error
	if s.Extractions, err = p.extractions(); err != nil {
		return nil, err
	}
	p.noteStage(checkLogfmt(s))
	return s, nil
}

// extractions = [ name [ "=" string ] { "," name [ "=" string ] } ] .
func (p *parser) extractions() ([]Extraction, error) {
	var list []Extraction
	// A keyword begins the list only with its "=": "| json by" would else swallow the grouping of an aggregation.
	if !p.at(kindIdentifier) && (!p.cur().isWord() || p.peek(1).kind != kindEqual) {
		return list, nil
	}
	for {
		name, err := p.name("IDENTIFIER")
		if err != nil {
			return nil, err
		}
		e := Extraction{Label: name, Path: name}
		if p.accept(kindEqual) {
			t, err := p.expect(kindString, "STRING")
			if err != nil {
				return nil, err
			}
			e.Path = t.text
		}
		list = append(list, e)
		if !p.accept(kindComma) {
			return list, nil
		}
	}
}

// labelFormat = "label_format" name "=" ( name | string ) { "," name "=" ( name | string ) } .
func (p *parser) labelFormat() (Stage, error) {
	s := &LabelFormat{}
	for {
		label, err := p.name("IDENTIFIER")
		if err != nil {
			return nil, err
		}
		if _, err := p.expect(kindEqual, "="); err != nil {
			return nil, err
		}
		f := LabelFormatting{Label: label}
		if t := p.cur(); t.kind == kindString {
			f.Template = p.take().text
		} else if f.Source, err = p.name("IDENTIFIER", "STRING"); err != nil {
			return nil, err
		}
		s.Formats = append(s.Formats, f)
		if !p.accept(kindComma) {
			p.noteStage(checkLabelFormat(s))
			return s, nil
		}
	}
}

// labelPicks = pick { "," pick } where pick = name [ matcher ] .
// atDistinct reports whether "distinct" and a name follow, which means nothing in Loki's language: there a label filter
// would begin with them, and an operator would come next.
func (p *parser) atDistinct() bool {
	t := p.cur()
	return t.kind == kindIdentifier && strings.EqualFold(t.text, "distinct") && p.peek(1).isWord()
}

func (p *parser) distinct() (Stage, error) {
	p.take()
	s := &Distinct{}
	for {
		name, err := p.name("IDENTIFIER")
		if err != nil {
			return nil, err
		}
		if !slices.Contains(s.Labels, name) {
			s.Labels = append(s.Labels, name)
		}
		if !p.accept(kindComma) {
			return s, nil
		}
	}
}

func (p *parser) labelPicks() ([]LabelPick, error) {
	var picks []LabelPick
	for {
		name, err := p.name("IDENTIFIER")
		if err != nil {
			return nil, err
		}
		pick := LabelPick{Name: name}
		if _, ok := matchTypes[p.cur().kind]; ok {
			if pick.Matcher, err = p.matcher(name); err != nil {
				return nil, err
			}
		}
		picks = append(picks, pick)
		if !p.accept(kindComma) {
			return picks, nil
		}
	}
}

// ambiguous are the stages that may stand alone: behind them != and !~ begin a line filter.
var ambiguous = []kind{kindJSON, kindLogfmt, kindUnpack, kindDecolorize}

// atLabelFilter reports whether a label filter begins here: "(" or a name with a comparison behind it.
func (p *parser) atLabelFilter() bool {
	t, next := p.cur(), p.peek(1).kind
	if t.kind == kindOpenParen || t.kind == kindIdentifier {
		return true // nothing else begins with them; what is wrong is said there
	}
	if !t.isWord() || !isComparison(next) || t.kind == kindAnd || t.kind == kindOr {
		return false
	}
	return !slices.Contains(ambiguous, t.kind) || next != kindNotEqual && next != kindNotMatch
}

func isComparison(k kind) bool {
	_, compares := compareOps[k]
	_, matches := matchTypes[k]
	return compares || matches
}

// labelFilter = term { ( "and" | "or" | "," | nothing ) term } .
//
// Loki's generated parser ranks "and" above "or", and gives "," and mere adjacency no rank, which makes it take what
// stands right of them as one operand: a, b or c is a and (b or c), while a and b or c is (a and b) or c. Queries rely on
// it, so this shift-reduce loop does the same. It keeps its own stack: terms nest only by parentheses.
func (p *parser) labelFilter() (LabelFilter, error) {
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	var operands []LabelFilter
	var joins []kind // kindAnd, kindOr, or kindComma, which also stands for adjacency
	for {
		f, err := p.labelFilterTerm()
		if err != nil {
			return nil, err
		}
		operands = append(operands, f)
		join, ok := p.labelFilterJoin()
		if !ok {
			break
		}
		for len(joins) > 0 && reducesBefore(joins[len(joins)-1], join) {
			operands, joins = reduce(operands, joins, len(joins)-1)
		}
		joins = append(joins, join)
	}
	for len(joins) > 0 {
		from := len(joins) - 1
		for from > 0 && (joins[from-1] == kindOr) == (joins[from] == kindOr) {
			from--
		}
		operands, joins = reduce(operands, joins, from)
	}
	if filterHeight(operands[0]) > depthMax/2 {
		return nil, errorAt(p.text, p.cur().offset, "label filters are nested too deep")
	}
	return operands[0], nil
}

// reduce joins the operands around joins[from:], all of which mean the same.
func reduce(operands []LabelFilter, joins []kind, from int) ([]LabelFilter, []kind) {
	joined := joinFilters(joins[from] == kindOr, operands[from:])
	return append(operands[:from], joined), joins[:from]
}

// reducesBefore reports whether the operands of top are joined before next is looked at.
func reducesBefore(top, next kind) bool {
	return top != kindComma && next != kindComma && (top == kindAnd || next == kindOr)
}

// labelFilterJoin takes what joins this term with the next, if there is a next.
func (p *parser) labelFilterJoin() (kind, bool) {
	switch {
	case p.at(kindAnd, kindOr):
		return p.take().kind, true
	case p.accept(kindComma):
		return kindComma, true
	case p.at(kindOpenParen), p.cur().isWord() && isComparison(p.peek(1).kind), p.at(kindIdentifier):
		return kindComma, true
	}
	return 0, false
}

// joinFilters joins filters, flat: the lists are as long as the query says, the tree is not deep. It takes the operands
// over, so that a long chain is built in linear time.
func joinFilters(or bool, operands []LabelFilter) LabelFilter {
	var list []LabelFilter
	for i, f := range operands {
		members := []LabelFilter{f}
		if o, ok := f.(*OrFilter); ok && or {
			members = o.Filters
		} else if a, ok := f.(*AndFilter); ok && !or {
			members = a.Filters
		}
		if i == 0 {
			list = members
		} else {
			list = append(list, members...)
		}
	}
	if or {
		return &OrFilter{Filters: list}
	}
	return &AndFilter{Filters: list}
}

// filterHeight returns the number of nested lists. "a, b or c, d or e, …" nests without a parenthesis.
func filterHeight(f LabelFilter) int {
	var list []LabelFilter
	switch f := f.(type) {
	case *AndFilter:
		list = f.Filters
	case *OrFilter:
		list = f.Filters
	}
	height := 0
	for _, m := range list {
		height = max(height, 1+filterHeight(m))
	}
	return height
}

// labelFilterTerm = "(" labelFilter ")" | name matcher | name compare ( number | duration | bytes ) | name ( "=" | "!=" ) ip .
func (p *parser) labelFilterTerm() (LabelFilter, error) {
	if p.accept(kindOpenParen) {
		f, err := p.labelFilter()
		if err != nil {
			return nil, err
		}
		_, err = p.expect(kindCloseParen)
		return f, err
	}
	if p.at(kindAnd, kindOr) { // they join filters; no filter is about a label of that name
		return nil, p.unexpected("IDENTIFIER", "(")
	}
	name, err := p.name("IDENTIFIER", "(")
	if err != nil {
		return nil, err
	}
	if !isComparison(p.cur().kind) {
		return nil, p.unexpected()
	}
	op := p.cur().kind
	switch p.peek(1).kind {
	case kindString, kindError:
		if _, ok := matchTypes[op]; !ok {
			p.take()
			return nil, p.unexpected()
		}
		m, err := p.matcher(name)
		return &MatcherFilter{Matcher: m}, err
	case kindIP:
		if op != kindEqual && op != kindNotEqual {
			p.take()
			if _, ok := matchTypes[op]; ok {
				return nil, p.unexpected("STRING")
			}
			return nil, p.unexpected()
		}
		p.take()
		p.take()
		text, err := p.ipArgument()
		if err != nil {
			return nil, err
		}
		f := &IPFilter{Label: name, Negate: op == kindNotEqual, Range: text}
		p.noteStage(checkIPFilter(f))
		return f, nil
	}
	return p.typedFilter(name)
}

// typedFilter = compare ( number | duration | bytes ) , behind the name.
func (p *parser) typedFilter(name string) (LabelFilter, error) {
	op, ok := compareOps[p.cur().kind]
	if !ok { // =~ and !~ take strings alone
		p.take()
		return nil, p.unexpected("STRING")
	}
	p.take()
	switch t := p.cur(); t.kind {
	case kindDuration:
		p.take()
		return &DurationFilter{Label: name, Op: op, Value: t.dur}, nil
	case kindBytes:
		p.take()
		return &BytesFilter{Label: name, Op: op, Value: t.bytes}, nil
	case kindNumber, kindAdd, kindSub:
		n, err := p.literal()
		if err != nil {
			return nil, err
		}
		return &NumberFilter{Label: name, Op: op, Value: n.Value}, nil
	}
	return nil, p.unexpected()
}

func lowerText(t token) string { return strings.ToLower(t.text) }
