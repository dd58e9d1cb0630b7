package match

import (
	"regexp/syntax"
	"slices"
	"unicode"
)

// kind is what an assertion such as \b or ^ sees of a neighbour.
type kind uint8

const (
	kindOther   kind = iota
	kindWord         // of \b; told apart only in programs that ask for it
	kindNewline      // of (?m)^ and (?m)$; the same
	kindEdge         // the line begins or ends here
	kindCount
)

// kindRunes stand for their kinds.
var kindRunes = [kindCount]rune{' ', 'a', '\n', -1}

// assertionsBetween returns the assertions that hold between two neighbours.
func assertionsBetween(before, behind kind) syntax.EmptyOp {
	return syntax.EmptyOpContext(kindRunes[before], kindRunes[behind])
}

// runeClasses divides all runes into classes such that a program cannot tell two runes of one class apart.
type runeClasses struct {
	bounds []rune   // first runes of intervals, ascending from 0; an interval ends where the next one begins
	class  []uint16 // of each interval
	kinds  []kind   // of each class
	sets   [][]rune // the different sets of runes that instructions accept, as pairs of first and last
	accept [][]int  // classes that make up each set
	setOf  []int    // number of the set that an instruction accepts, -1 for those that read no rune
}

// classesMax bounds the columns of a table; rangesMax the effort to find them.
const (
	classesMax = 512
	rangesMax  = 4096
)

// classifyRunes returns nil when the program names too many runes.
func classifyRunes(prog *syntax.Prog) *runeClasses {
	c := &runeClasses{setOf: make([]int, len(prog.Inst))}
	var asserted syntax.EmptyOp
	numbers := map[*rune]int{}
	ranges := 0
	for pc := range prog.Inst {
		inst := &prog.Inst[pc]
		c.setOf[pc] = -1
		if inst.Op == syntax.InstEmptyWidth {
			asserted |= syntax.EmptyOp(inst.Arg)
		}
		set := runesOf(inst)
		if len(set) == 0 {
			continue
		}
		first := &set[0] // repetitions share their runes
		number, known := numbers[first]
		if !known {
			if ranges += len(set) / 2; ranges > rangesMax {
				return nil
			}
			number = len(c.sets)
			numbers[first] = number
			c.sets = append(c.sets, set)
		}
		c.setOf[pc] = number
	}
	words := asserted&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0
	lines := asserted&(syntax.EmptyBeginLine|syntax.EmptyEndLine) != 0
	sets := slices.Clip(c.sets)
	if words {
		sets = append(sets, []rune("09AZ__az"))
	}
	if lines {
		sets = append(sets, []rune("\n\n"))
	}
	if !c.divide(sets) {
		return nil
	}
	c.nameKinds(words, lines)
	return c
}

// runesOf returns the runes that an instruction accepts, as pairs; nil when it reads none.
func runesOf(inst *syntax.Inst) []rune {
	switch inst.Op {
	case syntax.InstRuneAny:
		return []rune{0, unicode.MaxRune}
	case syntax.InstRuneAnyNotNL:
		return []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}
	case syntax.InstRune, syntax.InstRune1:
		if len(inst.Rune) != 1 {
			return inst.Rune
		}
		first := inst.Rune[0]
		set := []rune{first, first}
		if syntax.Flags(inst.Arg)&syntax.FoldCase != 0 {
			for r := unicode.SimpleFold(first); r != first; r = unicode.SimpleFold(r) {
				set = append(set, r, r)
			}
		}
		return set
	}
	return nil
}

// divide cuts the runes at every border of a set; intervals that are in the same sets are one class.
func (c *runeClasses) divide(sets [][]rune) bool {
	c.bounds = []rune{0}
	for _, set := range sets {
		for i := 0; i < len(set); i += 2 {
			c.bounds = append(c.bounds, set[i])
			if set[i+1] < unicode.MaxRune {
				c.bounds = append(c.bounds, set[i+1]+1)
			}
		}
	}
	slices.Sort(c.bounds)
	c.bounds = slices.Compact(c.bounds)

	// Sets refine the classes one by one: each class becomes one of what is in the set, one of what is not, or both.
	c.class = make([]uint16, len(c.bounds))
	count := 1
	in := make([]bool, len(c.bounds))
	var renamed []int // by class and whether it is in the set; from 1
	for _, set := range sets {
		clear(in)
		for i := 0; i < len(set); i += 2 {
			at, _ := slices.BinarySearch(c.bounds, set[i])
			for ; at < len(c.bounds) && c.bounds[at] <= set[i+1]; at++ {
				in[at] = true
			}
		}
		renamed = append(renamed[:0], make([]int, 2*count)...)
		count = 0
		for i, class := range c.class {
			name := &renamed[2*class]
			if in[i] {
				name = &renamed[2*class+1]
			}
			if *name == 0 {
				count++
				*name = count
			}
			c.class[i] = uint16(*name - 1)
		}
		if count > classesMax {
			return false
		}
	}
	c.kinds = make([]kind, count)
	return true
}

// nameKinds finds the kinds of the classes and the classes of the sets.
func (c *runeClasses) nameKinds(words, lines bool) {
	for i, class := range c.class {
		switch r := c.bounds[i]; {
		case words && syntax.IsWordChar(r):
			c.kinds[class] = kindWord
		case lines && r == '\n':
			c.kinds[class] = kindNewline
		}
	}
	c.accept = make([][]int, len(c.sets))
	seen := make([]int, len(c.kinds)) // number of the set that a class was seen in last, from 1
	for number, set := range c.sets {
		for i := 0; i < len(set); i += 2 {
			at, _ := slices.BinarySearch(c.bounds, set[i])
			for ; at < len(c.bounds) && c.bounds[at] <= set[i+1]; at++ {
				if class := int(c.class[at]); seen[class] != number+1 {
					seen[class] = number + 1
					c.accept[number] = append(c.accept[number], class)
				}
			}
		}
	}
}

// interval returns the index of the interval that holds r.
func (c *runeClasses) interval(r rune) int {
	at, found := slices.BinarySearch(c.bounds, r)
	if !found {
		at--
	}
	return at
}

// uniform returns the class of all runes from lo to hi, false when there are several.
func (c *runeClasses) uniform(lo, hi rune) (class uint16, ok bool) {
	at := c.interval(lo)
	class = c.class[at]
	for at++; at < len(c.bounds) && c.bounds[at] <= hi; at++ {
		if c.class[at] != class {
			return 0, false
		}
	}
	return class, true
}
