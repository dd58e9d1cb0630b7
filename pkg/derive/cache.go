package derive

import (
	"hash/maphash"
	"strings"
	"sync"
)

// The two kinds of cache keys: a label text, and the bytes of a label set.
const (
	keyText = iota
	keySet
	keyKinds
)

const (
	cacheShards = 16
	// entryOverheadBytes is what an entry takes besides its key and labels: the Stream, map slots, headers.
	entryOverheadBytes = 256
)

// cache remembers streams by the bytes that name them. Each shard has two generations: what is asked for moves to the young
// one, and when that has half the shard's bytes it becomes the old one and the old one is forgotten. So the bound holds
// at all times, and what is in use stays.
type cache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	bytesMax int // of one generation

	mu         sync.RWMutex // guards what follows; never held across parsing
	young, old [keyKinds]map[string]*Stream
	bytes      int // of young

	_ [64]byte // shards are locked by different cores
}

func newCache(bytesMax int) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.bytesMax = bytesMax / cacheShards / 2
		for k := range keyKinds {
			s.young[k], s.old[k] = map[string]*Stream{}, map[string]*Stream{}
		}
	}
	return c
}

func (c *cache) shard(key string) *cacheShard {
	return &c.shards[maphash.String(c.seed, key)%cacheShards]
}

func (c *cache) get(kind int, key string) *Stream {
	s := c.shard(key)
	s.mu.RLock()
	young, old := s.young[kind][key], (*Stream)(nil)
	if young == nil {
		old = s.old[kind][key]
	}
	s.mu.RUnlock()
	if old != nil {
		s.put(kind, key, old)
		return old
	}
	return young
}

func (c *cache) put(kind int, key string, stream *Stream) { c.shard(key).put(kind, key, stream) }

func (s *cacheShard) put(kind int, key string, stream *Stream) {
	// The key is held twice when both generations know it, the labels count once for each kind of key.
	size := len(key) + entryOverheadBytes + stream.labelsBytes
	if size > s.bytesMax {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young[kind][key] != nil {
		return
	}
	if s.bytes+size > s.bytesMax {
		s.old = s.young
		for k := range keyKinds {
			s.young[k] = map[string]*Stream{}
		}
		s.bytes = 0
	}
	s.bytes += size
	s.young[kind][strings.Clone(key)] = stream
}

// nameCache remembers normalised metadata names, which come again with every entry. It starts anew when it is full, so that
// a client that makes up names cannot make it grow.
type nameCache struct {
	mu    sync.RWMutex // guards names
	names map[string]string
}

const (
	namesCachedMax     = 4096
	nameCachedBytesMax = 256
)

func (c *nameCache) get(name string) (string, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	normal, ok := c.names[name]
	return normal, ok
}

func (c *nameCache) put(name, normal string) {
	if len(name) > nameCachedBytesMax {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.names) >= namesCachedMax || c.names == nil {
		c.names = map[string]string{}
	}
	c.names[strings.Clone(name)] = normal
}
