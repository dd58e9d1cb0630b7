package wire

import "github.com/woodshed-logs/woodshed/pkg/model"

// grow makes room for one more element in s and returns s with the new room. Recycled capacity is reserved step by step,
// fresh memory whole. A slice that was handed out before s moved stays valid: its array is left behind, not reused.
func grow[T any](r *Request, s []T, elementBytes int) ([]T, int, error) {
	if err := r.checkStructs(); err != nil {
		return s, len(s), err
	}
	n := len(s)
	if n < cap(s) {
		step := min(chargeElements, cap(s)-n)
		return s, n + step, r.reserve(step * elementBytes)
	}
	newCap := max(chargeElements, 2*n)
	if err := r.reserve(newCap * elementBytes); err != nil {
		return s, n, err
	}
	grown := make([]T, n, newCap)
	copy(grown, s)
	return grown, newCap, nil
}

// checkStructs bounds what a small body can be blown up to.
func (r *Request) checkStructs() error {
	limit := r.o.DecompressedBytesMax
	if limit == 0 {
		return nil
	}
	used := len(r.Streams)*streamBytes + len(r.entries)*entryBytes + len(r.pairs)*pairBytes
	if used/structFactorMax <= limit {
		return nil
	}
	return &Error{Class: TooLarge, Text: "request body too large: too many streams, entries or metadata pairs for one request"}
}

func (r *Request) addStream() (*Stream, error) {
	if len(r.Streams) == r.streamsRoom {
		var err error
		if r.Streams, r.streamsRoom, err = grow(r, r.Streams, streamBytes); err != nil {
			return nil, err
		}
	}
	n := len(r.Streams)
	r.Streams = r.Streams[:n+1]
	s := &r.Streams[n]
	*s = Stream{}
	return s, nil
}

// addEntry returns the next entry of the arena, zeroed. It is valid until the next call.
func (r *Request) addEntry() (*model.Entry, error) {
	if len(r.entries) == r.entriesRoom {
		var err error
		if r.entries, r.entriesRoom, err = grow(r, r.entries, entryBytes); err != nil {
			return nil, err
		}
	}
	n := len(r.entries)
	r.entries = r.entries[:n+1]
	e := &r.entries[n]
	*e = model.Entry{}
	return e, nil
}

// addPair returns the next pair of the arena, zeroed. It is valid until the next call.
func (r *Request) addPair() (*model.Pair, error) {
	if len(r.pairs) == r.pairsRoom {
		var err error
		if r.pairs, r.pairsRoom, err = grow(r, r.pairs, pairBytes); err != nil {
			return nil, err
		}
	}
	n := len(r.pairs)
	r.pairs = r.pairs[:n+1]
	p := &r.pairs[n]
	*p = model.Pair{}
	return p, nil
}

// entriesFrom is the slice of the arena since n, closed against appending.
func (r *Request) entriesFrom(n int) []model.Entry {
	if n == len(r.entries) {
		return nil
	}
	return r.entries[n:len(r.entries):len(r.entries)]
}

func (r *Request) pairsFrom(n int) []model.Pair {
	if n == len(r.pairs) {
		return nil
	}
	return r.pairs[n:len(r.pairs):len(r.pairs)]
}
