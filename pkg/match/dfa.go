package match

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// dfa is a deterministic automaton over bytes that tells whether a line matches. It never changes.
//
// Its table holds a row for each state and in it a column for each class of bytes and, last, one for the end of a line. A
// state is known by where its row begins, so that a step is one addition and one look into the table. The rows of
// stateAccepts and of stateDead are the first ones, and lead to themselves.
type dfa struct {
	start   uint16
	end     uint16 // column of the end of a line
	classes [256]uint8
	table   [1 << 16]uint16 // as large as an index may be, so that none needs a check
}

// newDFA returns nil for an expression whose automaton would be too large.
func newDFA(tree *syntax.Regexp) *dfa {
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > instsMax {
		return nil
	}
	runes := classifyRunes(prog)
	if runes == nil {
		return nil
	}
	subsets := buildSubsets(prog, runes)
	if subsets == nil {
		return nil
	}
	return newSpelling(subsets, newDecoder(runes)).dfa()
}

// Match reports whether a line matches.
func (d *dfa) Match(line []byte) bool { return d.table[d.end+d.run(d.start, line)] == stateAccepts }

// run returns the state behind text. Once it is known whether the line matches, no more is read.
func (d *dfa) run(s uint16, text []byte) uint16 {
	done := d.end + 1
	for _, c := range text {
		if s = d.table[uint16(d.classes[c])+s]; s <= done {
			break
		}
	}
	return s
}

// spelling is an automaton over bytes made from one over classes of runes. Its first states are those of the latter; the
// others are states in which some bytes of a rune are read.
type spelling struct {
	start  int32
	runes  [][]int32 // rows over classes of runes and, last, the end
	coder  *decoder
	inside []insideRune
	number map[insideRune]int32
	leaves map[int32][]int32 // classes in which the runes of a node may end
}

// insideRune is a state in which a rune is not complete: what was before it, and the node of its bytes.
type insideRune struct {
	state, node int32
}

func newSpelling(s *subsets, coder *decoder) *spelling {
	return &spelling{start: s.start, runes: s.rows, coder: coder, number: map[insideRune]int32{}, leaves: map[int32][]int32{}}
}

// dfa returns nil when the table gets too large.
func (s *spelling) dfa() *dfa {
	classes, examples := s.coder.alike()
	width := len(examples) + 1
	var table []int32 // rows of next states
	for state := 0; state < len(s.runes)+len(s.inside); state++ {
		if (len(s.runes)+len(s.inside))*width > len(dfa{}.table) {
			return nil
		}
		if state < len(s.runes) {
			for _, b := range examples {
				table = append(table, s.to(int32(state), s.coder.lead[b]))
			}
			table = append(table, s.runes[state][len(s.runes[state])-1])
			continue
		}
		// Whatever does not continue the rune begins the next one, behind bytes that were none.
		in := s.inside[state-len(s.runes)]
		broken := int(s.breakOff(in)) * width
		table = append(table, table[broken:broken+width]...)
		row, node := table[len(table)-width:], s.coder.node(in.node)
		for i, b := range examples {
			if !utf8.RuneStart(b) && node.next[b&0x3f] != brokenRune {
				row[i] = s.to(in.state, node.next[b&0x3f])
			}
		}
	}
	return tabulate(table, classes, width, int(s.start))
}

// to returns where a step of the decoder leads.
func (s *spelling) to(state, step int32) int32 {
	if step >= 0 {
		return s.runes[state][step]
	}
	in := insideRune{state, step}
	if to, ok := s.settled(in); ok {
		return to
	}
	number, ok := s.number[in]
	if !ok {
		number = int32(len(s.runes) + len(s.inside))
		s.inside = append(s.inside, in)
		s.number[in] = number
	}
	return number
}

// breakOff returns the state when the bytes so far turn out to be no rune.
func (s *spelling) breakOff(in insideRune) int32 {
	state := in.state
	for range s.coder.node(in.node).read {
		state = s.runes[state][s.coder.broken]
	}
	return state
}

// settled returns where a rune leads that is not complete, when it leads there whatever follows, bytes that are no rune
// included. So it is at nearly all places of nearly all expressions, and they need no states for the inside of runes.
func (s *spelling) settled(in insideRune) (to int32, ok bool) {
	to = s.breakOff(in)
	if s.runes[to][s.coder.broken] != to {
		return 0, false
	}
	for _, class := range s.leavesOf(in.node) {
		if s.runes[in.state][class] != to {
			return 0, false
		}
	}
	return to, true
}

func (s *spelling) leavesOf(node int32) []int32 {
	if known, ok := s.leaves[node]; ok {
		return known
	}
	var all []int32
	last := int32(brokenRune) // neighbours are alike as a rule
	for _, step := range s.coder.node(node).next {
		switch {
		case step == brokenRune || step == last:
		case step >= 0:
			all = append(all, step)
		default:
			all = append(all, s.leavesOf(step)...)
		}
		last = step
	}
	slices.Sort(all)
	all = slices.Compact(all)
	s.leaves[node] = all
	return all
}

// tabulate lays out rows of next states, their last column being the end of the line. Columns that are equal become one.
func tabulate(rows []int32, classes [256]uint8, width, start int) *dfa {
	known := map[string]uint8{}
	renamed := make([]uint8, width-1)
	var different []int
	var key []byte
	for c := range renamed {
		key = key[:0]
		for i := c; i < len(rows); i += width {
			key = binary.LittleEndian.AppendUint16(key, uint16(rows[i]))
		}
		name, ok := known[string(key)]
		if !ok {
			name = uint8(len(different))
			different = append(different, c)
			known[string(key)] = name
		}
		renamed[c] = name
	}
	different = append(different, width-1)
	narrow := len(different)
	d := &dfa{start: uint16(start * narrow), end: uint16(narrow - 1)}
	for b, class := range classes {
		d.classes[b] = renamed[class]
	}
	at := 0
	for row := 0; row < len(rows); row += width {
		for _, c := range different {
			d.table[at] = uint16(int(rows[row+c]) * narrow)
			at++
		}
	}
	return d
}
