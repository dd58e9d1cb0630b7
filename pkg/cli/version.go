package cli

import (
	"context"
	"flag"
	"fmt"
	"runtime"
)

var versionCommand = command{
	name:    "version",
	summary: "print the version",
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		asJSON := set.Bool("json", false, "print a JSON object")
		return func(_ context.Context, args []string) error {
			if len(args) > 0 {
				return usagef("%q is no argument of version", args[0])
			}
			if *asJSON {
				return writeJSONLine(e.Out, map[string]string{
					"version": e.version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintf(e.Out, "gpx_woodshed %s (%s, %s/%s)\n", e.version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		}
	},
}
