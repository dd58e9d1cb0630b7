package wal

import "time"

const (
	segmentBytesDefault = 128 << 20 // large enough that opening one (three syncs) is noise, small enough to drop soon
	segmentBytesMin     = dataStart + 4<<10
	segmentBytesMax     = 1 << 30 // an offset fits in 32 bits with room to spare

	// recordBytesMax bounds one record with its header in segments of any size: a replay holds one in memory.
	recordBytesMax = 128 << 20

	// batchBytesDefault: on the disks measured, syncing 8 MiB at once runs at a third of the speed of 1 MiB steps.
	batchBytesDefault = 1 << 20
	batchBytesMin     = 4 << 10
	batchBytesMax     = 16 << 20

	queueBytesDefault = 64 << 20 // payloads waiting for their commit, all callers together
	queueRecordsMax   = 4096     // bounds the memory of many tiny records

	applyBatchesMax = 1 // durable batches waiting for the applier, besides the one it works on

	syncIntervalDefault = time.Second
	retryInterval       = time.Second // between attempts to open a segment when the disk refuses

	spareSegmentsMax  = 2       // kept for recycling; a flush frees several at once, only the next two are needed soon
	prepareAfterBytes = 4 << 20 // a segment filled less than this prepares no successor: small stores pay nothing
	prepareStepBytes  = 1 << 20 // zeros written and synced at a time, so that the committer's sync waits little for them

	windowBytes   = 1 << 20 // read at a time by a replay
	keepBytesMax  = 8 << 20 // a larger buffer for one large record is given back after it
	damageListMax = 64      // damages listed one by one in ReplayStats; more are only counted
)
