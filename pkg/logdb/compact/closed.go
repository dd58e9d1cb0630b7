package compact

import "slices"

// closedDay settles a day, and merges what comes later.
//
// Everything behind the last settled block is late. The parts of a day are settled from its end to its start, so that a
// day that is interrupted while it is being settled has unsettled blocks only before settled ones, where nothing is late.
func (p *planner) closedDay(units []unit) []span {
	settled, final := 0, false
	for i := range units {
		if units[i].level >= levelSettled {
			settled = i + 1
		}
		final = final || units[i].level >= levelMax
	}
	if settled == 0 {
		return p.settle(units, 0, len(units))
	}
	if spans := p.settle(units, 0, settled); len(spans) > 0 {
		return spans
	}
	// A block that late ones have joined is not merged again. What comes then makes blocks of its own.
	if s, ok := p.join(units); ok && !final {
		return []span{s}
	}
	return p.late(units, settled)
}

// settle merges whatever neighbours of units [start, stop) fit together, last ones first. Going from the left and taking all
// that fit gives the fewest blocks. A full block takes part only when that is worth writing it again.
func (p *planner) settle(units []unit, start, stop int) (spans []span) {
	for start < stop {
		end, _ := p.fitting(units, start, stop, levelSettled-1)
		if full := p.firstFull(units, start, end); full < end && !balanced(units[start:end]) {
			end = full
		}
		if end-start >= 2 {
			spans = append(spans, span{start, end, levelSettled})
		}
		start = max(end, start+1)
	}
	slices.Reverse(spans)
	return spans
}

// firstFull returns the first full one of units [start, end), end when there is none.
func (p *planner) firstFull(units []unit, start, end int) int {
	for i := start; i < end; i++ {
		if units[i].raw >= p.full() {
			return i
		}
	}
	return end
}

// join merges the end of the day, from the first block on from which everything fits into one, when that is worth it. A full
// block is left as it is.
func (p *planner) join(units []unit) (span, bool) {
	start, raw, level := len(units), int64(0), 0
	for start > 0 {
		u := &units[start-1]
		if u.busy || u.level >= levelMax || u.raw >= p.full() || (start < len(units) && raw+u.raw > p.bytesMax()) {
			break
		}
		raw += u.raw
		level = max(level, u.level)
		start--
	}
	s := span{start, len(units), level + 1}
	return s, level >= levelSettled && s.end-s.start >= 2 && balanced(units[s.start:s.end])
}

// balanced reports whether no unit is so much larger than all others together that they should wait.
func balanced(units []unit) bool {
	var sum, largest int64
	for i := range units {
		sum += units[i].raw
		largest = max(largest, units[i].raw)
	}
	return largest <= (sum-largest)*lateShare
}

// late merges FanIn late blocks of one level; lower ones that came between go with them. A large one that would be written
// again for the sake of a few small ones is left out.
func (p *planner) late(units []unit, settled int) []span {
	// Blocks of level 2 may be late ones that merged, so the search begins after the last one that is final. Those that
	// settled the day are too large to be balanced by late ones, or FanIn of them would not fit together.
	first := 0
	for i := range units {
		if units[i].level >= levelMax {
			first = i + 1
		}
	}
	for level := range levelMax {
		from := settled
		if level == levelSettled {
			from = first
		}
		for start := from; start < len(units); start++ {
			if units[start].level != level {
				continue
			}
			end, _ := p.fitting(units, start, len(units), level)
			count := 0
			for i := start; i < end; i++ {
				if units[i].level == level {
					count++
				}
			}
			if count >= p.FanIn && balanced(units[start:end]) {
				return []span{{start, end, level + 1}}
			}
		}
	}
	return nil
}
