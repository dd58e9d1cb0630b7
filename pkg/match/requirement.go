package match

// Literal is a text that a line may have to contain.
type Literal struct {
	Text string // not empty; in lower case when Fold
	// Fold: ASCII letters match in either case. By the rules of (?i), a k then also matches U+212A and an s U+017F, which
	// are not ASCII; all other bytes match as they are.
	Fold bool
}

// Requirement is a necessary condition on a line: it contains one of these literals.
type Requirement []Literal

// Required returns conditions that every matching line meets, all of them. They may be met by lines that do not match. A
// filter about whose lines nothing is known gives none, and neither does a negated one.
func (m *Matcher) Required() []Requirement {
	var all []Requirement
	for i := range m.filters {
		if r := m.filters[i].required(); r != nil {
			all = append(all, r)
		}
	}
	return all
}

func (c *compiled) required() Requirement {
	if c.negate {
		return nil
	}
	var r Requirement
	for _, a := range c.alternatives {
		before := len(r)
		if r = a.require(r); len(r) == before {
			return nil // this alternative is met by lines of any kind
		}
	}
	return r
}

func (l *literal) require(r Requirement) Requirement {
	if len(l.needle) == 0 {
		return r
	}
	return append(r, Literal{Text: string(l.needle)})
}

func (l *foldLiteral) require(r Requirement) Requirement {
	return append(r, Literal{Text: string(l.needle), Fold: true})
}

func (a *automaton) require(r Requirement) Requirement {
	start := len(r)
	for _, l := range a.required {
		before := len(r)
		if r = l.require(r); len(r) == before {
			return r[:start]
		}
	}
	return r
}
