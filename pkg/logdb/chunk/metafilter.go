package chunk

import (
	"github.com/cespare/xxhash/v2"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// MetaFilter tells for a chunk that no entry of it has a metadata pair. The zero value knows nothing. It is a value to be
// copied and safe for concurrent use. Levels are no pairs: the chunk's table has them.
type MetaFilter struct{ raw []byte }

// OpenMetaFilter reads a filter and checks it. The bytes are kept and must not be changed.
func OpenMetaFilter(b []byte) (MetaFilter, error) {
	flags, err := checkFilter(b, filterMetadata)
	if err == nil && flags != 0 {
		err = corrupt("metadata filter: unknown flags %#x", flags)
	}
	if err != nil {
		return MetaFilter{}, err
	}
	return MetaFilter{raw: b}, nil
}

// Bytes returns the stored form. It must not be changed.
func (f MetaFilter) Bytes() []byte { return f.raw }

// MayHold reports whether some entry may have the pair. An empty value means that the name is absent, about which the
// filter knows nothing.
func (f MetaFilter) MayHold(name, value string) bool {
	if len(f.raw) == 0 || value == "" {
		return true
	}
	b := bloom(f.raw[:len(f.raw)-filterTrailer])
	return len(b) > 0 && b.has(pairKey(nameHash(name), value))
}

func nameHash(name string) uint64 { return xxhash.Sum64String(name) * spread }

// pairKey returns the key of a pair, never 0.
func pairKey(name uint64, value string) uint64 { return max(1, mix(name+xxhash.Sum64String(value))) }

// makeMetaFilter builds the filter over the pairs of a chunk.
func makeMetaFilter(names []string, list []cell) MetaFilter {
	x := keyers.Get().(*keyer)
	defer x.release()
	x.pairs.reset(len(list))
	hashes, last := make([]uint64, len(names)), make([]string, len(names))
	for i, name := range names {
		hashes[i] = nameHash(name)
	}
	for i := range list {
		c := &list[i]
		if c.value != last[c.name] { // most often the entry before has the same
			last[c.name] = c.value
			x.pairs.add(pairKey(hashes[c.name], c.value))
		}
	}
	return newMetaFilter(x.pairs.list)
}

func newMetaFilter(keys []uint64) MetaFilter {
	b := newBloom((len(keys)*metaFilterBits + bloomBits - 1) / bloomBits)
	for _, key := range keys {
		b.add(key)
	}
	return MetaFilter{raw: b.seal(filterMetadata, 0)}
}

// remakeMetaFilter builds the filter again from decoded metadata.
func remakeMetaFilter(md *Metadata, entries int) MetaFilter {
	x := keyers.Get().(*keyer)
	defer x.release()
	x.pairs.reset(entries)
	var pairs []model.Pair
	for i := range entries {
		pairs = md.Pairs(pairs[:0], i)
		for _, p := range pairs {
			x.pairs.add(pairKey(nameHash(p.Name), p.Value))
		}
	}
	return newMetaFilter(x.pairs.list)
}
