package template

import (
	"maps"
	texttemplate "text/template"
	"time"
)

// functions returns all functions but the ones of text/template that need no bound. They belong to the run: they read its
// entry and spend its allowance.
//
// Names and the order of arguments are Loki's and, where Loki takes a function from github.com/Masterminds/sprig, sprig's:
// the subject comes last, so that it can be piped. The older ones with a capital letter are those of package strings.
func (r *run) functions() texttemplate.FuncMap {
	all := texttemplate.FuncMap{
		"__line__":      func() string { return r.entry.Line() },
		"__timestamp__": func() time.Time { return time.Unix(0, int64(r.entry.Timestamp())) },
	}
	maps.Copy(all, r.textFunctions())
	maps.Copy(all, r.regexpFunctions())
	maps.Copy(all, r.numberFunctions())
	maps.Copy(all, r.timeFunctions())
	maps.Copy(all, r.printFunctions())
	return all
}
