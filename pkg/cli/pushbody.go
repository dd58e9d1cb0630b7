package cli

import (
	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers of Loki's push protobuf (PushRequest, StreamAdapter, EntryAdapter, Timestamp, LabelPairAdapter).
const (
	fieldStreams = 1

	fieldLabels  = 1
	fieldEntries = 2

	fieldTimestamp = 1
	fieldLine      = 2
	fieldMetadata  = 3

	fieldSeconds = 1
	fieldNanos   = 2

	fieldName  = 1
	fieldValue = 2
)

// pushBody builds the body of one push. It is reused from batch to batch.
type pushBody struct {
	streams []pushStream
	used    int // streams in use; the others keep their memory
	index   map[string]int
	entry   []byte
	proto   []byte
	packed  []byte

	lines, lineBytes int
}

type pushStream struct {
	labels  string
	entries []byte // encoded, each with its tag and length
}

// pair is a name=value of structured metadata.
type pair struct{ name, value string }

// add appends an entry to the stream with these labels.
func (b *pushBody) add(labels string, ns int64, line []byte, metadata ...pair) {
	if b.index == nil {
		b.index = map[string]int{}
	}
	i, found := b.index[labels]
	if !found {
		i = b.used
		b.used++
		b.index[labels] = i
		if i == len(b.streams) {
			b.streams = append(b.streams, pushStream{})
		}
		b.streams[i].labels = labels
		b.streams[i].entries = b.streams[i].entries[:0]
	}
	b.entry = appendEntry(b.entry[:0], ns, line, metadata)
	st := &b.streams[i]
	st.entries = protowire.AppendTag(st.entries, fieldEntries, protowire.BytesType)
	st.entries = protowire.AppendBytes(st.entries, b.entry)
	b.lines++
	b.lineBytes += len(line)
}

func appendEntry(dst []byte, ns int64, line []byte, metadata []pair) []byte {
	seconds, nanos := ns/1e9, ns%1e9
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+1e9
	}
	size := protowire.SizeTag(fieldSeconds) + protowire.SizeVarint(uint64(seconds)) +
		protowire.SizeTag(fieldNanos) + protowire.SizeVarint(uint64(nanos))
	dst = protowire.AppendTag(dst, fieldTimestamp, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	dst = protowire.AppendTag(dst, fieldSeconds, protowire.VarintType)
	dst = protowire.AppendVarint(dst, uint64(seconds))
	dst = protowire.AppendTag(dst, fieldNanos, protowire.VarintType)
	dst = protowire.AppendVarint(dst, uint64(nanos))
	dst = protowire.AppendTag(dst, fieldLine, protowire.BytesType)
	dst = protowire.AppendBytes(dst, line)
	for _, p := range metadata {
		size := protowire.SizeTag(fieldName) + protowire.SizeBytes(len(p.name)) + protowire.SizeTag(fieldValue) + protowire.SizeBytes(len(p.value))
		dst = protowire.AppendTag(dst, fieldMetadata, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(size))
		dst = protowire.AppendTag(dst, fieldName, protowire.BytesType)
		dst = protowire.AppendString(dst, p.name)
		dst = protowire.AppendTag(dst, fieldValue, protowire.BytesType)
		dst = protowire.AppendString(dst, p.value)
	}
	return dst
}

// encode returns the snappy-compressed body, valid until the next call of encode.
func (b *pushBody) encode() []byte {
	b.proto = b.proto[:0]
	for _, st := range b.streams[:b.used] {
		size := protowire.SizeTag(fieldLabels) + protowire.SizeBytes(len(st.labels)) + len(st.entries)
		b.proto = protowire.AppendTag(b.proto, fieldStreams, protowire.BytesType)
		b.proto = protowire.AppendVarint(b.proto, uint64(size))
		b.proto = protowire.AppendTag(b.proto, fieldLabels, protowire.BytesType)
		b.proto = protowire.AppendString(b.proto, st.labels)
		b.proto = append(b.proto, st.entries...)
	}
	b.packed = snappy.Encode(b.packed[:cap(b.packed)], b.proto)
	return b.packed
}

// reset empties the body for the next batch.
func (b *pushBody) reset() {
	clear(b.index)
	b.used, b.lines, b.lineBytes = 0, 0, 0
}
