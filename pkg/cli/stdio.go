package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Stdio is what a command reads and writes.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
	// Terminal says that Out is a terminal: colours are welcome, and control characters in log lines are made harmless.
	Terminal bool
	Width    int // columns of the terminal; 0 = unknown
}

// OSStdio returns the streams of the process.
func OSStdio() Stdio {
	s := Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	fd := int(os.Stdout.Fd())
	if !term.IsTerminal(fd) {
		return s
	}
	s.Terminal = true
	if w, _, err := term.GetSize(fd); err == nil {
		s.Width = w
	}
	return s
}

func (s Stdio) columns() int {
	if s.Width <= 0 {
		return widthDefault
	}
	return max(s.Width, widthMin)
}
