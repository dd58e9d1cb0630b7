package plan

import "testing"

func TestPushesMetadata(t *testing.T) {
	f := ruleTest(t, "metadata")
	f(`{app="x"} | trace_id="1" and pod="2" | json | user="3"`, `
		Log limited behind its stages
		  Scan {app="x", trace_id=~"1|", pod=~"2|", user=~"3|"} time, line, level, metadata
		    line |= "3" or "\\u00", unless user is a label or metadata
		  | trace_id="1" and pod="2"
		  | json  # all labels are read
		  | user="3"`, `
		Log limited behind its stages
		  Scan {app="x", trace_id=~"1|", pod=~"2|", user=~"3|"} time, line, level, metadata
		    entry trace_id="1" in metadata, unless trace_id is a label
		    entry pod="2" in metadata, unless pod is a label
		    line |= "3" or "\\u00", unless user is a label or metadata
		  | trace_id="1" and pod="2"
		  | json  # all labels are read
		  | user="3"`)
}
