package limits

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// unused are the keys of Loki's limits_config that mean nothing to this store. Each is accepted with a warning.
var unused = func() map[string]bool {
	m := map[string]bool{}
	for _, key := range strings.Fields(`
		block_ingestion_policy_until block_ingestion_status_code block_ingestion_until blocked_queries bloom_block_encoding
		bloom_build_builder_response_timeout bloom_build_max_builders bloom_build_task_max_retries
		bloom_build_task_target_series_chunk_size bloom_compactor_enable_compaction bloom_creation_enabled
		bloom_gateway_blocks_downloading_parallelism bloom_gateway_cache_key_interval bloom_gateway_enable_filtering
		bloom_gateway_shard_size bloom_max_block_size bloom_max_bloom_size bloom_ngram_length bloom_ngram_skip
		bloom_planning_strategy bloom_prefetch_blocks bloom_split_series_keyspace_by bloom_task_target_series_chunk_size
		dataobj_index_compaction_enabled dataobj_log_compaction_enabled debug_engine_streams debug_engine_tasks deletion_mode
		allow_deletes discover_generic_fields enforce_metric_name engine_results_cache_time_bucket_interval
		index_gateway_max_capacity index_gateway_shard_size ingestion_partitions_tenant_shard_size
		max_cache_freshness_per_query max_chunks_per_query max_metadata_cache_freshness max_querier_bytes_read
		max_queriers_per_tenant max_queriers_per_user max_query_capacity max_query_parallelism max_stats_cache_freshness
		metric_aggregation_enabled min_sharding_lookback minimum_labels_number otlp_config
		pattern_ingester_tokenizable_json_fields_append pattern_ingester_tokenizable_json_fields_default
		pattern_ingester_tokenizable_json_fields_delete pattern_persistence_enabled pattern_persistence_granularity
		pattern_rate_threshold per_tenant_override_config per_tenant_override_period policy_enforced_labels
		policy_override_limits policy_stream_mapping query_ready_index_num_days recent_metadata_query_window required_labels
		ruler_alertmanager_config ruler_evaluation_delay_duration
		ruler_max_rule_groups_per_tenant ruler_max_rules_per_rule_group ruler_remote_evaluation_max_response_size
		ruler_remote_evaluation_timeout ruler_remote_write_config ruler_remote_write_disabled ruler_remote_write_headers
		ruler_remote_write_queue_batch_send_deadline ruler_remote_write_queue_capacity
		ruler_remote_write_queue_max_backoff ruler_remote_write_queue_max_samples_per_send
		ruler_remote_write_queue_max_shards ruler_remote_write_queue_min_backoff ruler_remote_write_queue_min_shards
		ruler_remote_write_queue_retry_on_ratelimit ruler_remote_write_relabel_configs ruler_remote_write_sigv4_config
		ruler_remote_write_timeout ruler_remote_write_url ruler_tenant_shard_size s3_sse_kms_encryption_context
		s3_sse_kms_key_id s3_sse_type shard_aggregations shard_streams simulated_push_latency sort_schema
		split_ingester_queries_by_interval split_instant_metric_queries_by_interval split_metadata_queries_by_interval
		split_queries_by_interval split_recent_metadata_queries_by_interval tsdb_max_bytes_per_shard
		tsdb_max_query_parallelism tsdb_precompute_chunks tsdb_sharding_strategy unordered_writes use_owned_stream_count`) {
		m[key] = true
	}
	return m
}()

// notYet are the limits that are read and checked but nothing applies yet. Another value than the default is accepted with
// a warning: a limit that an operator relies on must not be missing in silence.
var notYet = map[string]bool{
	"cardinality_limit": true, "max_concurrent_tail_requests": true, "max_query_lookback": true,
	"volume_enabled": true, "volume_max_series": true,
}

// Keys returns the keys of Limits, sorted.
func Keys() []string {
	var keys []string
	t := reflect.TypeFor[Limits]()
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" {
			keys = append(keys, tag)
		}
	}
	slices.Sort(keys)
	return keys
}

// UnmarshalYAML reads a block of limits over what is there: only the keys that stand in it change.
func (l *Limits) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil // "limits_config:" with nothing below it
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected limits, a mapping of names to values", n.Line)
	}
	keys := Keys()
	seen := map[string]bool{}
	var errs []error
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		_, known := slices.BinarySearch(keys, key.Value)
		switch {
		case seen[key.Value]:
			errs = append(errs, fmt.Errorf("line %d: limit %s is given twice", key.Line, key.Value))
		case unused[key.Value]:
			l.warnings = append(slices.Clip(l.warnings), fmt.Sprintf("line %d: the limit %s has no effect here.", key.Line, key.Value))
		case !known:
			errs = append(errs, fmt.Errorf("line %d: unknown limit %q%s", key.Line, key.Value, hint(key.Value, keys)))
		}
		seen[key.Value] = true
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	type plain Limits // without this method
	next := plain(*l)
	if err := n.Decode(&next); err != nil {
		return err
	}
	*l = Limits(next)
	def := Default()
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if notYet[key.Value] && l.value(key.Value) != def.value(key.Value) {
			l.warnings = append(slices.Clip(l.warnings), fmt.Sprintf("line %d: the limit %s is not applied yet.", key.Line, key.Value))
		}
	}
	return nil
}

// value returns the limit that key names.
func (l *Limits) value(key string) any {
	v := reflect.ValueOf(l).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == key {
			return v.Field(i).Interface()
		}
	}
	return nil
}

// hint names the key that was probably meant.
func hint(key string, keys []string) string {
	best, bestDistance := "", 4 // a word with more letters wrong is another word
	for _, k := range keys {
		if d := distance(key, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance counts the letters to change, add or drop on the way from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// Partial is the block of one tenant: the limits that differ from everybody's.
type Partial struct{ node *yaml.Node }

// UnmarshalYAML checks the block's keys and values; they take effect when Over lays them over the limits for everybody.
func (p *Partial) UnmarshalYAML(n *yaml.Node) error {
	p.node = n
	probe := Default()
	return probe.UnmarshalYAML(n)
}

// MarshalYAML prints the block as it was read.
func (p Partial) MarshalYAML() (any, error) { return p.node, nil }

// Over returns base with this block's limits in place of base's.
func (p Partial) Over(base Limits) (Limits, error) {
	base.warnings = nil // they are told for the base already
	if p.node == nil {
		return base, nil
	}
	if err := base.UnmarshalYAML(p.node); err != nil {
		return Limits{}, err
	}
	return base, nil
}
