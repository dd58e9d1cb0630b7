// Package cli is the command line of gpx_woodshed: query, push, labels, series, bench and version, all over the HTTP API
// of a listener, so that they work with any store that speaks it; inspect, verify, backup and restore, which look at the
// files of a data directory beside the store or without one; and the door to the server, which app hands in.
//
// It owns what a person at a terminal sees: flags, output forms, colours, exit codes (0; 1 no match or failed; 2 wrong
// usage), and error messages that say what happened, where, and what to do. Answers go to standard output, everything else
// to standard error, so that output can be piped. How logs are stored is logdb's business: cli finds the data directory and
// who has it open; bench storage measures the engine in a directory of its own.
//
// To add a command: a file with its type, a row in commands. docs/cli.md describes each; a test compares the flags.
package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// The exit codes, grep's.
const (
	exitOK     = 0
	exitFailed = 1 // no match, or something failed
	exitUsage  = 2
)

// Deps are what the process hands in.
type Deps struct {
	Version string
	// Server runs the store in the foreground; nil leaves the command out.
	Server func(ctx context.Context, args []string, stdout, stderr io.Writer) int
	// Gate makes what stands before a store: it derives and checks pushes at the time that now tells, and hands them to a.
	// Only bench storage needs it.
	Gate   func(a storage.Appender, now func() time.Time) (Pusher, error)
	Getenv func(string) string // nil = os.Getenv
}

// command is one row of the table.
type command struct {
	name    string
	args    string    // behind the flags, for the usage line
	summary string    // one line for the list of commands
	about   string    // sentences and examples for --help
	subs    []command // commands below this one, named "command sub"
	// flags registers the command's flags and returns what runs it with the arguments that are no flags.
	flags func(*flag.FlagSet, *env) func(ctx context.Context, args []string) error
}

// env is what every command gets.
type env struct {
	Stdio
	version string
	getenv  func(string) string
	gate    func(a storage.Appender, now func() time.Time) (Pusher, error)
}

// commands is the table, in the order of help.
func commands() []command {
	return []command{queryCommand, pushCommand, labelsCommand, seriesCommand, inspectCommand, verifyCommand,
		backupCommand, restoreCommand, benchCommand, versionCommand}
}

// errNoMatch ends a command that found nothing: exit code 1, no message.
var errNoMatch = errors.New("no match")

// usageError is a fault of the command line itself.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// Run runs the command that args name and returns the exit code.
func Run(ctx context.Context, args []string, io Stdio, d Deps) int {
	e := &env{Stdio: io, version: d.Version, getenv: d.Getenv, gate: d.Gate}
	if e.getenv == nil {
		e.getenv = os.Getenv
	}
	if len(args) == 0 {
		fmt.Fprint(e.Err, overview(d))
		return exitUsage
	}
	name, rest := args[0], args[1:]
	if asksHelp(name) {
		return e.help(ctx, rest, d)
	}
	switch name {
	case "-version", "--version":
		name = "version"
	case "server":
		if d.Server != nil {
			return d.Server(ctx, rest, e.Out, e.Err)
		}
	}
	for _, c := range commands() {
		if c.name == name {
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			defer stop()
			c, rest = c.below(rest)
			return e.run(ctx, c, rest)
		}
	}
	fmt.Fprintf(e.Err, "gpx_woodshed: there is no command %q. Commands: %s.\n", name, strings.Join(names(d), ", "))
	return exitUsage
}

// below returns the command that the first argument names below this one, and the arguments behind that.
func (c command) below(args []string) (command, []string) {
	for _, sub := range c.subs {
		if len(args) > 0 && sub.name == c.name+" "+args[0] {
			return sub, args[1:]
		}
	}
	return c, args
}

// run parses the flags of a command and runs it.
func (e *env) run(ctx context.Context, c command, args []string) int {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	runWith := c.flags(set, e)
	rest, err := parseFlags(set, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(e.Out, usage(c, set))
		return exitOK
	case err != nil:
		err = usageError{err.Error()}
	default:
		err = runWith(ctx, rest)
	}
	return e.exit(ctx, c.name, err)
}

// exit prints an error and returns its code.
func (e *env) exit(ctx context.Context, name string, err error) int {
	var wrong usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNoMatch), errors.Is(err, errDamage):
		return exitFailed
	case errors.As(err, &wrong):
		fmt.Fprintf(e.Err, "gpx_woodshed %s: %s. See gpx_woodshed %s --help.\n", name, strings.TrimRight(wrong.text, "."), name)
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintf(e.Err, "gpx_woodshed %s: interrupted\n", name)
		return exitFailed
	case errors.Is(err, syscall.EPIPE):
		return exitFailed // the reader of our output has seen enough
	}
	fmt.Fprintf(e.Err, "gpx_woodshed %s: %s\n", name, strings.TrimRight(err.Error(), "\n"))
	return exitFailed
}

// parseFlags accepts flags before, between and behind the other arguments; all behind -- are arguments.
func parseFlags(set *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		left := set.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if parsed := len(args) - len(left); parsed > 0 && args[parsed-1] == "--" {
			return append(rest, left...), nil
		}
		rest = append(rest, left[0])
		args = left[1:]
	}
}

func asksHelp(arg string) bool {
	return slices.Contains([]string{"help", "-h", "-help", "--help"}, arg)
}

// help describes the command that args name; help itself is described by the overview.
func (e *env) help(ctx context.Context, args []string, d Deps) int {
	if len(args) == 0 || asksHelp(args[0]) {
		fmt.Fprint(e.Out, overview(d))
		return exitOK
	}
	return Run(ctx, append(slices.Clone(args), "--help"), e.Stdio, d)
}

func names(d Deps) []string {
	var list []string
	if d.Server != nil {
		list = append(list, "server")
	}
	for _, c := range commands() {
		list = append(list, c.name)
	}
	return append(list, "help")
}

func overview(d Deps) string {
	var b strings.Builder
	b.WriteString("Woodshed is a log database inside Grafana. Grafana starts this binary as a plugin; you can run the store, and ask it.\n\n" +
		"Usage: gpx_woodshed COMMAND [flags] [arguments]\n\n")
	row := func(name, summary string) { fmt.Fprintf(&b, "  %-9s %s\n", name, summary) }
	if d.Server != nil {
		row("server", "run the store and its listener in the foreground")
	}
	for _, c := range commands() {
		row(c.name, c.summary)
	}
	row("help", "describe a command: gpx_woodshed help query")
	b.WriteString("\nThe address of the store comes from --addr or WOODSHED_ADDR (default " + addrDefault + "), the tenant from --tenant or WOODSHED_TENANT.\n" +
		"Exit codes: 0, 1 no match or failed, 2 wrong usage.\n")
	return b.String()
}

// usage is the help of one command.
func usage(c command, set *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "gpx_woodshed %s: %s\n\nUsage: gpx_woodshed %s [flags]", c.name, c.summary, c.name)
	if c.args != "" {
		b.WriteString(" " + c.args)
	}
	b.WriteString("\n")
	for _, sub := range c.subs {
		fmt.Fprintf(&b, "       gpx_woodshed %s [flags]   %s\n", sub.name, sub.summary)
	}
	if c.about != "" {
		b.WriteString("\n" + strings.Trim(c.about, "\n") + "\n")
	}
	if flags := FlagHelp(set); flags != "" {
		b.WriteString("\nFlags:\n" + flags)
	}
	return b.String()
}

// FlagHelp describes the flags of a set, a line each.
func FlagHelp(set *flag.FlagSet) string {
	var b strings.Builder
	set.VisitAll(func(f *flag.Flag) { b.WriteString(flagHelp(f)) })
	return b.String()
}

// flagHelp is the help of one flag, GNU style.
func flagHelp(f *flag.Flag) string {
	kind, text := flag.UnquoteUsage(f)
	text = strings.Replace(text, " ("+kind+")", "", 1) // a word in quotes and brackets only names the value
	head := "--" + f.Name
	if kind != "" {
		head += " " + strings.ToUpper(kind)
	}
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
		text += " (default " + shortDefault(f) + ")"
	}
	return fmt.Sprintf("  %-22s %s\n", head, text)
}

// shortDefault prints 1h0m0s as 1h.
func shortDefault(f *flag.Flag) string {
	d, err := time.ParseDuration(f.DefValue)
	if err != nil {
		return f.DefValue
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return cmp.Or(s, f.DefValue)
}
