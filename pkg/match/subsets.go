package match

import (
	"encoding/binary"
	"math/bits"
	"regexp/syntax"
)

// States that every automaton has. Both are left by no rune.
const (
	stateAccepts = 0
	stateDead    = 1
)

// The limits of an automaton. Whatever is larger is left to grafana/regexp.
const (
	instsMax  = 2048
	statesMax = 4096
	workMax   = 1 << 20 // about nanoseconds
)

// instSet is a set of instructions, a bit each.
type instSet []uint64

func (s instSet) add(pc uint32)      { s[pc>>6] |= 1 << (pc & 63) }
func (s instSet) has(pc uint32) bool { return s[pc>>6]&(1<<(pc&63)) != 0 }

func (s instSet) unite(other instSet) {
	for i, w := range other {
		s[i] |= w
	}
}

func (s instSet) meets(other instSet) bool {
	for i, w := range other {
		if s[i]&w != 0 {
			return true
		}
	}
	return false
}

func (s instSet) isEmpty() bool { return !s.meets(s) }

// subset is a state: the instructions at which a program may be that has read some runes of a line, wherever in it the
// search began. They are those that read a rune, the assertions that wait for the next rune, and the match.
type subset struct {
	insts  instSet
	before kind // of the rune before, when there are assertions in insts that may ask for it
}

// subsets builds a deterministic automaton over classes of runes. The columns of its rows are the classes and, last, the
// end of the line.
//
// Where a program matches does not matter, only that it does. So a state with a match in it is stateAccepts, whatever
// else is in it, and every state has the start of the program in it.
type subsets struct {
	prog   *syntax.Prog
	runes  *runeClasses
	width  int                  // words of an instSet
	kept   instSet              // instructions that tell states apart
	waits  instSet              // the assertions among them
	match  instSet              // and the match
	ofKind [kindCount][]int     // classes by kind
	accept [kindCount][][]int   // classes of that kind that each set of runes has
	closed [kindCount][]instSet // closures by instruction, nil when not asked for yet

	anchored bool // no match begins behind the first rune
	start    int32
	states   []subset
	numbers  map[string]int32
	rows     [][]int32
	work     int

	// Scratch.
	stack   []uint32
	next    []instSet // by class, when reached
	reached []bool
	ahead   instSet
	visited instSet
	key     []byte
}

// buildSubsets returns nil when the automaton gets too large.
func buildSubsets(prog *syntax.Prog, runes *runeClasses) *subsets {
	b := newSubsets(prog, runes)
	classes := len(runes.kinds)
	b.states = make([]subset, 2)
	b.rows = [][]int32{stateAccepts: make([]int32, classes+1), stateDead: make([]int32, classes+1)}
	for i := range b.rows[stateDead] {
		b.rows[stateDead][i] = stateDead
	}
	for k, classes := range b.ofKind {
		b.anchored = b.anchored && (len(classes) == 0 || b.closure(uint32(prog.Start), kind(k)).isEmpty())
	}
	b.start = b.state(b.closure(uint32(prog.Start), kindEdge), kindEdge)
	for i := 2; i < len(b.states); i++ {
		b.rows = append(b.rows, b.expand(b.states[i]))
		if b.work > workMax || len(b.states) > statesMax {
			return nil
		}
	}
	return b
}

func newSubsets(prog *syntax.Prog, runes *runeClasses) *subsets {
	b := &subsets{prog: prog, runes: runes, width: (len(prog.Inst) + 63) / 64, numbers: map[string]int32{}, anchored: true}
	b.kept, b.waits, b.match, b.ahead, b.visited = b.newSet(), b.newSet(), b.newSet(), b.newSet(), b.newSet()
	for pc := range prog.Inst {
		switch inst := &prog.Inst[pc]; {
		case inst.Op == syntax.InstEmptyWidth && syntax.EmptyOp(inst.Arg)&behindAssertions != 0:
			b.waits.add(uint32(pc))
		case inst.Op == syntax.InstMatch:
			b.match.add(uint32(pc))
		case runes.setOf[pc] >= 0:
			b.kept.add(uint32(pc))
		}
	}
	b.kept.unite(b.waits)
	b.kept.unite(b.match)
	for class, k := range runes.kinds {
		b.ofKind[k] = append(b.ofKind[k], class)
		b.next = append(b.next, b.newSet())
	}
	b.reached = make([]bool, len(b.next))
	for k := range b.closed {
		b.closed[k] = make([]instSet, len(prog.Inst))
		b.accept[k] = make([][]int, len(runes.accept))
		for set, classes := range runes.accept {
			for _, class := range classes {
				if runes.kinds[class] == kind(k) {
					b.accept[k][set] = append(b.accept[k][set], class)
				}
			}
		}
	}
	return b
}

func (b *subsets) newSet() instSet { return make(instSet, b.width) }

// expand returns where a state leads to.
func (b *subsets) expand(from subset) []int32 {
	row := make([]int32, len(b.next)+1)
	for k, classes := range b.ofKind {
		behind := kind(k)
		if len(classes) == 0 {
			continue
		}
		if b.lookAhead(from, behind) {
			for _, class := range classes {
				row[class] = stateAccepts
			}
			continue
		}
		// Wherever a search may begin, it may begin again; most runes lead to no more than that.
		again := b.closure(uint32(b.prog.Start), behind)
		clear(b.reached)
		for w, word := range b.ahead {
			for ; word != 0; word &= word - 1 {
				pc := w<<6 + bits.TrailingZeros64(word)
				if set := b.runes.setOf[pc]; set >= 0 {
					b.reach(b.accept[behind][set], b.closure(b.prog.Inst[pc].Out, behind), again)
				}
			}
		}
		restart := b.state(again, behind)
		for _, class := range classes {
			row[class] = restart
			if b.reached[class] {
				row[class] = b.state(b.next[class], behind)
			}
		}
	}
	if !b.lookAhead(from, kindEdge) {
		row[len(b.next)] = stateDead
	}
	return row
}

// reach adds to where runes of these classes lead.
func (b *subsets) reach(classes []int, out, again instSet) {
	for _, class := range classes {
		if !b.reached[class] {
			b.reached[class] = true
			copy(b.next[class], again)
		}
		b.next[class].unite(out)
	}
	b.work += len(classes) * (4 + b.width)
}

// lookAhead follows the assertions of a state now that the next neighbour is known, and reports whether they lead to the
// match. What it comes to is in ahead.
func (b *subsets) lookAhead(from subset, behind kind) (matches bool) {
	copy(b.ahead, from.insts)
	if !from.insts.meets(b.waits) {
		return false
	}
	b.stack = b.stack[:0]
	holding := assertionsBetween(from.before, behind)
	for w, word := range from.insts {
		for word &= b.waits[w]; word != 0; word &= word - 1 {
			b.stack = append(b.stack, uint32(w<<6+bits.TrailingZeros64(word)))
		}
	}
	b.walk(holding, false)
	b.ahead.unite(b.visited)
	return b.ahead.meets(b.match)
}

// state returns the number of a state, which is made when there is none like it.
func (b *subsets) state(insts instSet, before kind) int32 {
	if insts.meets(b.match) {
		return stateAccepts
	}
	if b.anchored && insts.isEmpty() {
		return stateDead
	}
	if !insts.meets(b.waits) {
		before = kindOther
	}
	b.key = append(b.key[:0], byte(before))
	for _, w := range insts {
		b.key = binary.LittleEndian.AppendUint64(b.key, w)
	}
	b.work += 32 + 2*b.width
	number, ok := b.numbers[string(b.key)]
	if !ok {
		number = int32(len(b.states))
		b.numbers[string(b.key)] = number
		b.states = append(b.states, subset{append(instSet(nil), insts...), before})
		b.work += 512 + 4*b.width
	}
	return number
}

// closure returns where a program may be that has come to pc behind a neighbour of that kind. Assertions about the next
// one are left to wait in it.
func (b *subsets) closure(pc uint32, before kind) instSet {
	known := &b.closed[before][pc]
	if *known == nil {
		b.stack = append(b.stack[:0], pc)
		b.walk(assertionsBetween(before, kindOther), true)
		*known = append(instSet(nil), b.visited...)
		for i, w := range b.kept {
			(*known)[i] &= w
		}
	}
	return *known
}

// behindAssertions are those that ask for the next rune.
const behindAssertions = syntax.EmptyEndLine | syntax.EmptyEndText | syntax.EmptyWordBoundary | syntax.EmptyNoWordBoundary

// walk visits what can be reached, without reading a rune, from the instructions on the stack. holding are the assertions
// that hold; with wait, those that ask for the next rune are not followed.
func (b *subsets) walk(holding syntax.EmptyOp, wait bool) {
	clear(b.visited)
	for len(b.stack) > 0 {
		pc := b.stack[len(b.stack)-1]
		b.stack = b.stack[:len(b.stack)-1]
		if b.work++; b.visited.has(pc) {
			continue
		}
		b.visited.add(pc)
		switch inst := &b.prog.Inst[pc]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			b.stack = append(b.stack, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			b.stack = append(b.stack, inst.Out)
		case syntax.InstEmptyWidth:
			asserted := syntax.EmptyOp(inst.Arg)
			if asserted&^holding == 0 && (asserted&behindAssertions == 0 || !wait) {
				b.stack = append(b.stack, inst.Out)
			}
		}
	}
}
