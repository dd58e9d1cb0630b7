package match

import (
	"encoding/binary"
	"unicode/utf8"
)

// Where a byte leads in a decoder: the class of a rune that it ends, from 0 on, or one of these.
const (
	brokenRune = -1 // the bytes so far are no rune, and this one may begin another
	firstInner = -2 // this and less: node firstInner-x
)

// decoder reads runes off bytes the way package utf8 does it, and names their classes. It is a tree of bytes whose equal
// branches are one.
//
// Package utf8 takes each byte that does not begin a valid rune for a U+FFFD of its own. So when a rune breaks off after n
// bytes, these are n times U+FFFD: the first begins no rune then, and bytes that continue a rune never do.
type decoder struct {
	runes  *runeClasses
	lead   [256]int32 // of first bytes
	inner  []decoderNode
	broken int32 // class of U+FFFD

	nodes map[decoderNode]int32
	even  map[evenBranch]int32
}

// decoderNode is where a decoder is that has read some bytes of a rune.
type decoderNode struct {
	read int       // bytes
	next [64]int32 // by the low bits of a byte that continues a rune
}

// evenBranch is a branch all of whose runes are of one class.
type evenBranch struct {
	class      uint16
	read, left int // bytes
}

func newDecoder(runes *runeClasses) *decoder {
	d := &decoder{runes: runes, nodes: map[decoderNode]int32{}, even: map[evenBranch]int32{}}
	d.broken = int32(runes.class[runes.interval(utf8.RuneError)])
	for b := range d.lead {
		switch {
		case b < utf8.RuneSelf:
			d.lead[b] = int32(runes.class[runes.interval(rune(b))])
		case 0xc2 <= b && b < 0xe0:
			d.lead[b] = d.branch(rune(b&0x1f)<<6, 1, 1)
		case 0xe0 <= b && b < 0xf0:
			d.lead[b] = d.branch(rune(b&0x0f)<<12, 1, 2)
		case 0xf0 <= b && b < 0xf5:
			d.lead[b] = d.branch(rune(b&0x07)<<18, 1, 3)
		default:
			d.lead[b] = d.broken
		}
	}
	return d
}

// branch returns where the bytes lead that begin the runes from first on, when some are read and some are left.
func (d *decoder) branch(first rune, read, left int) int32 {
	last := first + 1<<(6*left) - 1
	// Surrogates and what lies behind the last rune have no length, and overlong runes a shorter one. Where there are such
	// in the range, they reach up to one of its ends.
	validFirst, validLast := utf8.RuneLen(first) == read+left, utf8.RuneLen(last) == read+left
	if !validFirst && !validLast {
		return brokenRune
	}
	if class, ok := d.runes.uniform(first, last); ok && validFirst && validLast {
		return d.evenBranch(evenBranch{class, read, left})
	}
	n := decoderNode{read: read}
	for i := range n.next {
		n.next[i] = d.branch(first+rune(i)<<(6*(left-1)), read+1, left-1)
	}
	return d.name(n)
}

func (d *decoder) evenBranch(e evenBranch) int32 {
	if e.left == 0 {
		return int32(e.class)
	}
	name, ok := d.even[e]
	if !ok {
		n := decoderNode{read: e.read}
		next := d.evenBranch(evenBranch{e.class, e.read + 1, e.left - 1})
		for i := range n.next {
			n.next[i] = next
		}
		name = d.name(n)
		d.even[e] = name
	}
	return name
}

// name returns the name of a node, the same for equal ones.
func (d *decoder) name(n decoderNode) int32 {
	name, ok := d.nodes[n]
	if !ok {
		name = firstInner - int32(len(d.inner))
		d.inner = append(d.inner, n)
		d.nodes[n] = name
	}
	return name
}

// node returns a node by its name.
func (d *decoder) node(name int32) *decoderNode { return &d.inner[firstInner-name] }

// alike returns the classes of bytes that no node tells apart, and one byte of each.
func (d *decoder) alike() (classOf [256]uint8, examples []byte) {
	known := map[string]uint8{}
	var key []byte
	for b := range classOf {
		// Bytes that continue a rune are all the same where one begins, and the others where one does not.
		key = binary.LittleEndian.AppendUint32(key[:0], uint32(d.lead[b]))
		if !utf8.RuneStart(byte(b)) {
			for i := range d.inner {
				key = binary.LittleEndian.AppendUint32(key, uint32(d.inner[i].next[b&0x3f]))
			}
		}
		class, ok := known[string(key)]
		if !ok {
			class = uint8(len(examples))
			examples = append(examples, byte(b))
			known[string(key)] = class
		}
		classOf[b] = class
	}
	return classOf, examples
}
