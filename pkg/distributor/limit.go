package distributor

import (
	"fmt"
	"math"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/derive"
	"github.com/woodshed-logs/woodshed/pkg/limits"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// checkTenantRate refuses the whole push when its accepted part exceeds the tenant's rate. Half a push would come again whole.
func (p *push) checkTenantRate() error {
	rate, burst := p.limits.IngestionRate()
	if rate == 0 {
		return nil
	}
	lines, bytes := 0, 0
	for i := range p.streams {
		lines += len(p.streams[i].Entries)
		bytes += p.bytes[i]
	}
	if p.d.tenantRates.Allow(p.now, p.tenant, rate, burst, bytes) {
		return nil
	}
	for i := range p.streams {
		p.discard(reasonRateLimited, len(p.streams[i].Entries), p.bytes[i], p.derived[i], int64(rate))
	}
	return &storage.Refusal{
		Class: storage.ErrRateLimited, Text: fmt.Sprintf(textRateLimited, p.tenant, int64(rate), lines, bytes),
	}
}

// checkStreams drops the streams for which there is no room, and those that exceed the rate of one stream.
func (p *push) checkStreams() {
	rate, burst := p.limits.StreamRate()
	streamsMax := p.limits.StreamsMax()
	if p.d.streams == nil {
		streamsMax = 0
	}
	if rate == 0 && streamsMax == 0 {
		return
	}
	room := math.MaxInt
	if streamsMax > 0 {
		room = streamsMax - p.d.streams.StreamCount(p.tenant)
	}
	created := map[model.Fingerprint]bool{}
	kept := 0
	for i := range p.streams {
		s := p.derived[i]
		fits := streamsMax == 0 || created[s.Fingerprint] || p.d.streams.HasStream(p.tenant, s.Labels)
		switch {
		case !fits && room <= 0:
			p.refuseNewStream(i, streamsMax)
			continue
		case rate > 0 && !p.d.streamRates.Allow(p.now, streamKey{p.tenant, s.Fingerprint}, rate, burst, p.bytes[i]):
			p.refuseFastStream(i, rate)
			continue
		case !fits:
			created[s.Fingerprint] = true
			room--
		}
		p.streams[kept], p.derived[kept], p.bytes[kept] = p.streams[i], s, p.bytes[i]
		kept++
	}
	clear(p.streams[kept:])
	clear(p.derived[kept:])
	p.streams, p.derived, p.bytes = p.streams[:kept], p.derived[:kept], p.bytes[:kept]
}

func (p *push) refuseNewStream(i, streamsMax int) {
	s := p.derived[i]
	if p.limited == nil {
		p.limited = &storage.Refusal{Class: storage.ErrRateLimited, Text: fmt.Sprintf(textStreamLimit, s.Labels, p.tenant)}
	}
	p.verbatim = false
	p.discard(reasonStreamLimit, len(p.streams[i].Entries), p.bytes[i], s, int64(streamsMax))
}

func (p *push) refuseFastStream(i int, rate float64) {
	s := p.derived[i]
	p.limited = &storage.Refusal{Class: storage.ErrRateLimited, Text: p.fastStreamText(i, limits.Bytes(rate), s)}
	p.verbatim = false
	p.discard(reasonStreamRate, len(p.streams[i].Entries), p.bytes[i], s, int64(rate))
}

// fastStreamText lists the first entries of a stream that is too fast, as Loki does.
func (p *push) fastStreamText(i int, rate limits.Bytes, s *derive.Stream) string {
	var b strings.Builder
	entries := p.streams[i].Entries
	name := cut(s.Labels.String(), refusalTextBytesMax/ignoredEntriesListed)
	for _, e := range entries[:min(len(entries), ignoredEntriesListed)] {
		size := limits.Bytes(len(e.Line) + metadataBytes(e.Metadata))
		fmt.Fprintf(&b, "entry with timestamp %s ignored, reason: '"+textStreamRate+"',\n", e.Timestamp.Time(), rate, name, size)
	}
	fmt.Fprintf(&b, "user '%s', total ignored: %d out of %d for stream: %s", p.tenant, len(entries), len(entries), name)
	return b.String()
}
