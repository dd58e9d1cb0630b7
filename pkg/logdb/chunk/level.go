package chunk

// Codes of the level column: 0 is absent, 1 to 8 the levels that detection knows, from levelCustom on a dictionary.
const (
	levelAbsent = 0
	levelCustom = 9
)

var knownLevels = [levelCustom]string{"", "trace", "debug", "info", "warn", "error", "critical", "fatal", "unknown"}

func knownLevelCode(level string) (uint16, bool) {
	switch level {
	case "":
		return levelAbsent, true
	case "trace":
		return 1, true
	case "debug":
		return 2, true
	case "info":
		return 3, true
	case "warn":
		return 4, true
	case "error":
		return 5, true
	case "critical":
		return 6, true
	case "fatal":
		return 7, true
	case "unknown":
		return 8, true
	}
	return 0, false
}

// appendLevelName writes a known level as its code, any other as levelCustom and the name.
func appendLevelName(dst []byte, level string) []byte {
	if c, ok := knownLevelCode(level); ok {
		return append(dst, byte(c))
	}
	return appendBytes(append(dst, levelCustom), level)
}

func decodeLevelName(c *cursor, limit int) string {
	switch b := c.byte(); {
	case b < levelCustom:
		return knownLevels[b]
	case b == levelCustom:
		return string(c.bytes(limit))
	}
	c.fail()
	return ""
}

// levelSet collects the levels of a chunk while it is encoded.
type levelSet struct {
	codes   []uint16 // of each entry
	names   []string // by code
	entries []uint32 // by code
	bytes   []uint64 // by code
	custom  map[string]uint16
}

func (s *levelSet) reset() {
	s.codes, s.names, s.custom = s.codes[:0], append(s.names[:0], knownLevels[:]...), nil
	s.entries, s.bytes = s.entries[:0], s.bytes[:0]
}

const levelUnmapped = 1<<16 - 1 // no code: EntriesMax sees to that

// levelMapping translates the level codes of one view, each at its first use: a view may know levels of entries that are
// not encoded, and only those encoded are sure to get by with 16 bits.
type levelMapping struct {
	set    *levelSet
	v      *View
	custom []uint16
}

func (s *levelSet) mapping(v *View) levelMapping {
	m := levelMapping{set: s, v: v, custom: make([]uint16, len(v.levelNames))}
	for i := range m.custom {
		m.custom[i] = levelUnmapped
	}
	return m
}

func (m *levelMapping) code(row int) uint16 {
	if row >= len(m.v.levels) {
		return levelAbsent
	}
	c := m.v.levels[row]
	if c < levelCustom {
		return c
	}
	mapped := &m.custom[c-levelCustom]
	if *mapped == levelUnmapped {
		*mapped = m.set.customCode(m.v.levelNames[c-levelCustom])
	}
	return *mapped
}

func (s *levelSet) customCode(name string) uint16 {
	code, ok := s.custom[name]
	if !ok {
		if s.custom == nil {
			s.custom = make(map[string]uint16)
		}
		code = uint16(len(s.names))
		s.names = append(s.names, name)
		s.custom[name] = code
	}
	return code
}

func (s *levelSet) add(code uint16, lineBytes uint32) {
	for len(s.entries) <= int(code) {
		s.entries, s.bytes = append(s.entries, 0), append(s.bytes, 0)
	}
	s.codes = append(s.codes, code)
	s.entries[code]++
	s.bytes[code] += uint64(lineBytes)
}

// compact renumbers the codes so that only levels in use have one, in order of code, and returns these levels.
func (s *levelSet) compact() []LevelCount {
	remap := make([]uint16, len(s.entries))
	var used []LevelCount
	for code, n := range s.entries {
		if n > 0 {
			remap[code] = uint16(len(used))
			used = append(used, LevelCount{Level: s.names[code], Entries: n, Bytes: s.bytes[code]})
		}
	}
	for i, c := range s.codes {
		s.codes[i] = remap[c]
	}
	return used
}

// countable reports whether the table may hold the levels.
func countable(levels []LevelCount) bool {
	if len(levels) > levelsInTable {
		return false
	}
	for _, l := range levels {
		if len(l.Level) > levelNameMax {
			return false
		}
	}
	return true
}
