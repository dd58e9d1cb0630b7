package derive

// The classes of bytes around a word that names a level. A colon before the word makes it part of a compound (misc:error)
// and does not count; behind it, it does (error: …).
const (
	classFirst = 1 << iota // begins one of the words
	classLeft              // may stand before the word
	classRight             // may stand behind it
)

var wordClass = func() (t [256]byte) {
	for _, c := range []byte("tdfcewiTDFCEWI\xC4") {
		t[c] |= classFirst
	}
	for _, c := range []byte(" \t\n[({\"'=|") {
		t[c] |= classLeft
	}
	for _, c := range []byte(" \t\n[](){}:,!\"'=|") {
		t[c] |= classRight
	}
	return t
}()

// firstLevelWord returns the level that the first word of a line names, of all words that name one and stand alone.
func firstLevelWord(line string) string {
	before := byte(classLeft)
	for i := range len(line) {
		class := wordClass[line[i]]
		// One test for both: each by itself is a coin toss to the branch predictor.
		if before/classLeft&class&classFirst != 0 {
			if level := levelWordAt(line[i:]); level != "" {
				return level
			}
		}
		before = class
	}
	return LevelUnknown
}

// secondLetter is that of the words by their first, in lower case, so that most other words are told apart at a glance.
var secondLetter = [256]byte{'e': 'r', 'i': 'n', 'w': 'a', 'd': 'e', 't': 'r', 'f': 'a', 'c': 'r'}

// levelWordAt returns the level that s begins with, "" when it begins with none.
func levelWordAt(s string) string {
	var word, level string
	first := lowerASCII(s[0])
	if first != dottedI[0] && (len(s) < 2 || lowerASCII(s[1]) != secondLetter[first]) {
		return ""
	}
	switch first {
	case 'e':
		word, level = "error", LevelError
		if !hasWord(s, word) {
			word = "err"
		}
	case 'i', dottedI[0]:
		word, level = "info", LevelInfo
	case 'w':
		word, level = "warn", LevelWarn
		if !hasWord(s, word) {
			word = "warning"
		}
	case 'd':
		word, level = "debug", LevelDebug
	case 't':
		word, level = "trace", LevelTrace
	case 'f':
		word, level = "fatal", LevelFatal
	case 'c':
		word, level = "critical", LevelCritical
	}
	if !hasWord(s, word) {
		return ""
	}
	return level
}

// dottedI is the one letter outside ASCII whose lower case is a letter of these words; Java writes WARNİNG in Turkey.
const dottedI = "İ"

// hasWord reports whether s begins with the word, in any case, and nothing sticks to it.
func hasWord(s, word string) bool {
	at := 0
	for i := range len(word) {
		if at >= len(s) {
			return false
		}
		if lowerASCII(s[at]) == word[i] {
			at++
			continue
		}
		if word[i] != 'i' || len(s)-at < len(dottedI) || s[at:at+len(dottedI)] != dottedI {
			return false
		}
		at += len(dottedI)
	}
	return at == len(s) || wordClass[s[at]]&classRight != 0
}
