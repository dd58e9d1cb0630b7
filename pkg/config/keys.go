package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const keyDepthMax = 32 // of nested mappings; aliases could otherwise go round in circles

// lokiKeys are the top-level keys of Loki's configuration that mean nothing here, with what to do instead.
var lokiKeys = map[string]string{
	"analytics": "Woodshed reports nothing to anybody",
	"server":    "the address is listen", "common": "the directory is data_dir",
	"schema_config": "Woodshed has one storage format and no schema periods", "storage_config": "the directory is data_dir",
	"ingester": "its settings here are storage and wal", "distributor": "", "querier": "", "query_range": "",
	"query_scheduler": "", "frontend": "", "frontend_worker": "", "ingester_client": "", "ingester_rf1": "",
	"compactor": "", "compactor_grpc_client": "", "compactor_client": "", "table_manager": "", "chunk_store_config": "",
	"ruler": "alert rules are Grafana's", "ruler_storage": "alert rules are Grafana's", "index_gateway": "",
	"bloom_build": "", "bloom_gateway": "", "pattern_ingester": "", "memberlist": "", "runtime_config": "use overrides",
	"operational_config": "", "tracing": "", "profiling": "", "kafka_config": "", "ui": "", "dataobj": "", "internal_server": "",
	"target": "", "ballast_bytes": "", "http_prefix": "", "shutdown_delay": "", "metrics_namespace": "", "querier_rf1": "",
	"block_builder": "", "block_scheduler": "", "ingest_limits": "",
	"ingest_limits_frontend": "", "ingest_limits_frontend_client": "", "query_engine": "", "tsdb_shipper": "",
}

var unmarshaler = reflect.TypeFor[yaml.Unmarshaler]()

// checkKeys refuses keys that the tree does not have, so that a misspelt one is never silently without effect.
func checkKeys(root *yaml.Node) error {
	known := fieldsOf(reflect.TypeFor[Config]())
	for i := 0; i < len(root.Content); i += 2 {
		key := root.Content[i]
		hint, isLoki := lokiKeys[key.Value]
		if _, ours := known[key.Value]; ours || !isLoki {
			continue
		}
		if hint != "" {
			hint = " (" + hint + ")"
		}
		return fmt.Errorf("line %d: %q belongs to Loki's own configuration and has no meaning in Woodshed%s; "+
			"only limits_config, overrides and auth_enabled are shared, see docs/configuration.md", key.Line, key.Value, hint)
	}
	return checkNode(root, reflect.TypeFor[Config](), "", 0)
}

func checkNode(n *yaml.Node, t reflect.Type, path string, depth int) error {
	if depth > keyDepthMax {
		return fmt.Errorf("line %d: nested too deeply", n.Line)
	}
	if n.Kind == yaml.AliasNode {
		return checkNode(n.Alias, t, path, depth+1)
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind != yaml.MappingNode || reflect.PointerTo(t).Implements(unmarshaler) {
		return nil // the decoder says what is wrong with a value
	}
	switch t.Kind() {
	case reflect.Struct:
		return checkStruct(n, t, path, depth)
	case reflect.Map:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if err := checkNode(n.Content[i+1], t.Elem(), path+n.Content[i].Value+".", depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkStruct(n *yaml.Node, t reflect.Type, path string, depth int) error {
	fields := fieldsOf(t)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			if err := checkNode(value, t, path, depth+1); err != nil {
				return err
			}
			continue
		}
		ft, known := fields[key.Value]
		if !known {
			names := make([]string, 0, len(fields))
			for name := range fields {
				names = append(names, name)
			}
			return fmt.Errorf("line %d: unknown key %q%s", key.Line, path+key.Value, didYouMean(key.Value, names))
		}
		if err := checkNode(value, ft, path+key.Value+".", depth+1); err != nil {
			return err
		}
	}
	return nil
}

// fieldsOf maps the YAML names of a struct to the types of its fields.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case strings.Contains(options, "inline"):
			for k, v := range fieldsOf(f.Type) {
				fields[k] = v
			}
		case name == "":
			fields[strings.ToLower(f.Name)] = f.Type
		default:
			fields[name] = f.Type
		}
	}
	return fields
}

// didYouMean suggests the nearest name when it is near.
func didYouMean(got string, names []string) string {
	slices.Sort(names)
	best, bestDistance := "", len(got)/3+2
	for _, name := range names {
		if d := editDistance(got, name); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// editDistance counts the letters to insert, delete or replace to get from a to b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
