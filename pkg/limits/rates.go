package limits

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rates keeps one token bucket per key, of at most so many keys: the key that was not asked for longest gives way, and
// starts with a full bucket when it comes back. A bucket takes about 250 bytes.
type Rates[K comparable] struct {
	keysMax int

	mu      sync.Mutex // guards what follows; never held across anything slow
	buckets map[K]*list.Element
	recent  *list.List // of *bucket[K], the latest in front
}

type bucket[K comparable] struct {
	key     K
	limiter *rate.Limiter
}

// NewRates makes room for so many keys.
func NewRates[K comparable](keysMax int) *Rates[K] {
	return &Rates[K]{keysMax: keysMax, buckets: map[K]*list.Element{}, recent: list.New()}
}

// Allow takes n tokens from the bucket of key, all or none, and reports whether they were there. More than the burst is
// never there.
func (r *Rates[K]) Allow(now time.Time, key K, perSecond float64, burst, n int) bool {
	return r.limiter(now, key, rate.Limit(perSecond), burst).AllowN(now, n)
}

func (r *Rates[K]) limiter(now time.Time, key K, limit rate.Limit, burst int) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.buckets[key]; ok {
		r.recent.MoveToFront(e)
		l := e.Value.(*bucket[K]).limiter
		if l.Limit() != limit || l.Burst() != burst {
			l.SetLimitAt(now, limit)
			l.SetBurstAt(now, burst)
		}
		return l
	}
	if len(r.buckets) >= r.keysMax {
		oldest := r.recent.Back()
		delete(r.buckets, oldest.Value.(*bucket[K]).key)
		r.recent.Remove(oldest)
	}
	l := rate.NewLimiter(limit, burst)
	r.buckets[key] = r.recent.PushFront(&bucket[K]{key: key, limiter: l})
	return l
}

// Len returns the number of buckets.
func (r *Rates[K]) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.buckets)
}
