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
	Terminal    bool
	ErrTerminal bool // Err is a terminal: progress is a bar that is drawn again and again
	Width       int  // columns of the terminal; 0 = unknown
}

// OSStdio returns the streams of the process.
func OSStdio() Stdio {
	s := Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	s.Terminal, s.ErrTerminal = term.IsTerminal(int(os.Stdout.Fd())), term.IsTerminal(int(os.Stderr.Fd()))
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			s.Width = w
			break
		}
	}
	return s
}

func (s Stdio) columns() int {
	if s.Width <= 0 {
		return widthDefault
	}
	return max(s.Width, widthMin)
}
