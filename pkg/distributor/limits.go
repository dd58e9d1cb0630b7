package distributor

import "time"

const (
	cacheBytesDefault = 32 << 20 // some 60,000 streams

	tenantRatesMax = 10_000  // token buckets of tenants with a rate limit
	streamRatesMax = 100_000 // token buckets of streams with a rate limit; 25 MB

	// groupsMax and refusalTextBytesMax bound the answer to a push in which everything is wrong in its own way.
	groupsMax           = 64
	refusalTextBytesMax = 32 << 10

	// ignoredEntriesListed is how many entries a refusal by the rate of a stream lists, as in Loki.
	ignoredEntriesListed = 10

	// tenantLabelsMax bounds the cardinality of metrics by tenant; later tenants share one label value.
	tenantLabelsMax = 1000
	tenantLabelRest = "<other>" // no tenant ID has these characters

	refusalWindow   = 15 * time.Minute
	refusalKeysMax  = 512 // (tenant, reason) remembered at a time
	sampleBytesMax  = 200 // of a label set in a text for people
	keptStreamsMax  = 4096
	minutesInWindow = int(refusalWindow / time.Minute)
	windowBuckets   = int64(minutesInWindow) // the running minute counts as one
)
