package chunk

import "sync"

// Keys of the substring filter. A needle is found at any place in a line, and nothing is known of what stands to its left
// and right there. So every rule below says which keys a text has by looking at a window that lies inside the text, and at
// no more: a needle then has no key that a line around it lacks. A rule that depends on what ends a run counts only where
// the byte that ends it is inside as well.
//
// A run is a longest sequence of letters, digits, '_' and '-'. Letters are ASCII and taken in lower case. Any other byte,
// those of other scripts and '\n' too, and the ends of a line, separate runs.
const (
	lettersGram = 5 // letters in a row, each five of them are a key
	idGram      = 6 // bytes of a gram inside an id
	idWindow    = 4 // grams in a row of which the one with the least hash is a key
	idSpan      = idGram + idWindow - 1

	wordMin, wordMax   = 2, 32 // letters of a whole word
	tokenMin, tokenMax = 4, 8  // bytes of a whole token; longer ones have windows
	octetMax           = 3     // digits

	lettersHashBits = 20 // a chunk has some thousand different grams of letters; a bitmap tells which it has had
)

// Kinds of key. They keep texts of different kinds apart, and keys from being 0.
const (
	kindLetters uint64 = (iota + 1) << 60
	kindWord
	kindToken
	kindAddress
	kindGram
)

// spread multiplies a text of up to eight bytes into a number whose upper bits depend on all of them.
const spread = 0x9e3779b97f4a7c15

// Classes of bytes; a byte of no class separates runs.
const (
	classLetter = 1 << iota
	classDigit
	classJoint // '_', '-'
	classPlain // a letter that is in no RFC 3339 timestamp
)

var classes, lower = func() (class, low [256]byte) {
	for i := range 256 {
		c := byte(i)
		low[i] = c
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
			low[i] = c
		}
		switch {
		case c == 't' || c == 'z':
			class[i] = classLetter
		case 'a' <= c && c <= 'z':
			class[i] = classLetter | classPlain
		case '0' <= c && c <= '9':
			class[i] = classDigit
		case c == '_' || c == '-':
			class[i] = classJoint
		}
	}
	return class, low
}()

// keyer collects the keys of lines, or of a needle.
type keyer struct {
	runs    runSet   // what was seen, so that each distinct run is taken apart once
	keys    []uint64 // of all kinds but those below; few are there twice
	words   []uint64
	recent  [recentKeys]uint64
	letters []uint32 // distinct hashes of grams of letters
	had     [1 << lettersHashBits / 64]uint64
	pairs   keySet // of metadata
}

var keyers = sync.Pool{New: func() any { return new(keyer) }}

// reset prepares for about so many bytes of text.
func (x *keyer) reset(textBytes int) {
	x.runs.reset(textBytes / 32)
	x.keys, x.words = x.keys[:0], x.words[:0]
	clear(x.recent[:])
	for _, h := range x.letters {
		x.had[h>>6] = 0
	}
	x.letters = x.letters[:0]
}

// release returns the keyer to the pool unless a chunk of nothing but keys blew it up.
func (x *keyer) release() {
	if cap(x.keys)+cap(x.pairs.slots)+cap(x.runs.slots) <= keyerSlotsMax {
		keyers.Put(x)
	}
}

// count returns how many keys there are.
func (x *keyer) count() int { return len(x.keys) + len(x.words) + len(x.letters) }

// add adds a key to a list unless it came lately. Runs are distinct but have keys in common, mostly those that begin alike
// and come soon after each other; a key that slips through costs its bits in the filter and nothing else, a table of all keys
// would cost as much time as finding them.
func (x *keyer) add(list *[]uint64, key uint64) {
	if at := &x.recent[key>>48&(recentKeys-1)]; *at != key {
		*at = key
		*list = append(*list, key)
	}
}

// appendTo appends the keys, those last that are most often there.
func (x *keyer) appendTo(dst []uint64) []uint64 {
	dst = append(append(dst, x.keys...), x.words...)
	for _, h := range x.letters {
		dst = append(dst, lettersKey(h))
	}
	return dst
}

func lettersKey(hash uint32) uint64 { return mix(kindLetters | uint64(hash)) }

// addLine adds the keys of the line text[start:end]. Calls since reset have the same text.
func (x *keyer) addLine(text []byte, start, end int) {
	var a address
	for i := start; i < end; i++ {
		seen := classes[text[i]]
		if seen == 0 {
			continue
		}
		from := i
		for i++; i < end; i++ {
			c := classes[text[i]]
			if c == 0 {
				break
			}
			seen |= c
		}
		if seen == classDigit && i-from <= octetMax {
			x.addOctet(&a, text[start:end], from-start, i-start)
			continue
		}
		if hasKeys(seen, i-from) {
			e := edges{dot: from > start && text[from-1] == '.'}
			if x.runs.add(text, from, i, e.dot) {
				x.addRun(text[from:i], seen, e)
			}
		}
	}
}

// addNeedle adds the keys that every line has in which the text is found.
func (x *keyer) addNeedle(text []byte) {
	var a address
	for i := 0; i < len(text); i++ {
		from := i
		var seen byte
		for ; i < len(text) && classes[text[i]] != 0; i++ {
			seen |= classes[text[i]]
		}
		if seen == classDigit && i-from <= octetMax {
			x.addOctet(&a, text, from, i)
		}
		if hasKeys(seen, i-from) {
			x.addRun(text[from:i], seen, edges{
				left: from == 0, right: i == len(text), dot: from > 0 && text[from-1] == '.',
			})
		}
	}
}

// hasKeys reports whether a run of these classes and length can have a key.
func hasKeys(seen byte, length int) bool {
	if seen&classLetter != 0 {
		return length >= wordMin
	}
	return seen&classDigit != 0 && length >= idSpan
}

// edges says what is not known of a run, and what stands before it.
type edges struct {
	left, right bool // the run may be longer on this side
	dot         bool // the byte before the run is a '.'
}

func (x *keyer) addRun(run []byte, seen byte, e edges) {
	long := seen&classDigit != 0 && len(run) >= idSpan
	if long {
		x.addGrams(run)
	} else {
		x.addLetters(run)
	}
	if seen&classDigit == 0 || seen&classJoint != 0 { // else the whole run is no word, and none ends inside
		x.addWords(run, e)
	}
	if seen&classDigit != 0 && seen&classPlain != 0 && !e.left && !e.right && !e.dot &&
		len(run) >= tokenMin && len(run) <= tokenMax {
		x.add(&x.keys, tokenKey(run))
	}
}

// addLetters adds the grams of the letters in a run.
func (x *keyer) addLetters(run []byte) {
	var gram uint64
	letters := 0 // in a row
	for _, b := range run {
		gram = gram<<8 | uint64(lower[b])
		letters = (letters + 1) * int(classes[b]&classLetter)
		if letters >= lettersGram {
			x.addLettersGram(gram)
		}
	}
}

// addWords adds the letters that stand between a joint or end of the run on either side. Letters next to a digit are parts of
// ids, and as whole words would be many and tell little.
func (x *keyer) addWords(run []byte, e edges) {
	start, seen := 0, byte(0)
	for i := 0; i <= len(run); i++ {
		if i < len(run) && classes[run[i]] != classJoint {
			seen |= classes[run[i]]
			continue
		}
		known := (start > 0 || !e.left) && (i < len(run) || !e.right)
		if length := i - start; known && seen&classDigit == 0 && length >= wordMin && length <= wordMax {
			x.add(&x.words, wordKey(run[start:i]))
		}
		start, seen = i+1, 0
	}
}

func (x *keyer) addLettersGram(gram uint64) {
	gram &= 1<<(8*lettersGram) - 1
	h := uint32(gram * spread >> (64 - lettersHashBits))
	if bit := uint64(1) << (h & 63); x.had[h>>6]&bit == 0 {
		x.had[h>>6] |= bit
		x.letters = append(x.letters, h)
	}
}

func wordKey(word []byte) uint64 {
	var h uint64
	for _, c := range word {
		h = (h ^ uint64(lower[c])) * spread
		h ^= h >> 29
	}
	return mix(kindWord ^ h>>4)
}

func tokenKey(token []byte) uint64 {
	var v uint64
	for _, c := range token {
		v = v<<8 | uint64(lower[c])
	}
	return mix(kindToken ^ v*spread>>4)
}

// addGrams adds the grams of an id, of letters too. Of each idWindow grams in a row it takes the one with the least hash, so
// that neighbours share one and a needle that holds all of a window has its key. Windows count that hold a digit and a
// letter, or digits only: dates and clocks, which are different in every line and nobody looks for in this way, add nothing.
//
// What class a byte of an id has is a guess that the processor gets wrong, so there is no branch on it.
func (x *keyer) addGrams(run []byte) {
	const span = 1<<idSpan - 1
	var gram, last uint64
	var digits, plain uint32 // of the bytes so far, the last one lowest: was it one
	letters := 0             // in a row
	var hash, pair, pairBefore uint64
	for i, b := range run {
		c := classes[b]
		gram = gram<<8 | uint64(lower[b])
		letters = (letters + 1) * int(c&classLetter)
		if letters >= lettersGram {
			x.addLettersGram(gram)
		}
		digits = digits<<1 | uint32(c/classDigit&1)
		plain = plain<<1 | uint32(c/classPlain&1)
		before := hash
		hash = gram & (1<<(8*idGram) - 1) * spread
		least := min(hash, before, pairBefore) // pairBefore is the lesser of the two hashes before these two
		pairBefore, pair = pair, min(hash, before)
		if i < idSpan-1 || digits&span == 0 || (plain&span == 0 && digits&span != span) {
			continue
		}
		if least != last {
			last = least
			x.add(&x.keys, gramKey(least))
		}
	}
}

func gramKey(hash uint64) uint64 { return mix(kindGram ^ hash>>4) }

// address is the last octet that stands between two dots.
type address struct{ from, to int }

// addOctet adds the middle of an IPv4 address when text[from:to], a run of up to three digits, is its third part: the second
// and third part with the dots around, and the digits that stand before and after these.
func (x *keyer) addOctet(a *address, text []byte, from, to int) {
	if from == 0 || to >= len(text) || text[from-1] != '.' || text[to] != '.' {
		return
	}
	before := *a
	*a = address{from, to}
	if before.to != from-1 || before.to == 0 || before.from < 2 || to+1 >= len(text) {
		return
	}
	first, last := text[before.from-2], text[to+1]
	if classes[first] != classDigit || classes[last] != classDigit {
		return
	}
	x.add(&x.keys, addressKey(text[before.from-2:to+2]))
}

func addressKey(middle []byte) uint64 {
	var v uint64
	for _, c := range middle {
		v = v*12 + uint64(c-'.')
	}
	return mix(kindAddress ^ v*spread>>4)
}
