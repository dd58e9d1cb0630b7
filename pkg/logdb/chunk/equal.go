package chunk

import (
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// MayHaveMetadata reports whether some entry may have metadata of that name.
func (t *Table) MayHaveMetadata(name string) bool {
	return slices.ContainsFunc(t.columns, func(c column) bool {
		return c.kind == columnOverflow || c.kind == columnMetadata && c.name == name
	})
}

// Equal returns a test for entries that have the pair among the decoded ones. It is valid until m is decoded into again.
func (m *Metadata) Equal(p model.Pair) func(i int) bool {
	inColumn := func(int) bool { return false }
	if k := slices.IndexFunc(m.columns, func(c textColumn) bool { return c.name == p.Name }); k >= 0 {
		inColumn = m.columns[k].equal(p.Value)
	}
	if len(m.ends) == 0 {
		return inColumn
	}
	return func(i int) bool {
		return inColumn(i) || slices.ContainsFunc(m.overflow(i), func(o overflowPair) bool {
			return m.names[o.name] == p.Name && string(m.values[o.start:o.end]) == p.Value
		})
	}
}

func (c *textColumn) equal(value string) func(i int) bool {
	switch c.kind {
	case textConst:
		same := string(c.buf) == value
		return func(int) bool { return same }
	case textDict:
		codes := make([]bool, len(c.ends))
		start := uint32(0)
		for k, end := range c.ends {
			codes[k] = string(c.buf[start:end]) == value
			start = end
		}
		return func(i int) bool { return codes[c.codes[i]] }
	}
	return func(i int) bool { return c.value(i) == value }
}

// Equal returns a test for entries that have the pair. It is valid for ever.
func (v *View) Equal(p model.Pair) func(i int) bool {
	code := slices.Index(v.names, p.Name)
	if code < 0 {
		return func(int) bool { return false }
	}
	return func(i int) bool {
		return slices.ContainsFunc(v.entryPairs(i), func(o pair) bool {
			return o.name == uint32(code) && string(v.values[o.start:o.end]) == p.Value
		})
	}
}

// Has returns a test for entries that have metadata of that name. It is valid for ever.
func (v *View) Has(name string) func(i int) bool {
	code := slices.Index(v.names, name)
	if code < 0 {
		return func(int) bool { return false }
	}
	return func(i int) bool {
		return slices.ContainsFunc(v.entryPairs(i), func(o pair) bool { return o.name == uint32(code) && o.start < o.end })
	}
}
