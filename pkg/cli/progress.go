package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// progress says on standard error how far a long command is: on a terminal by a bar that is drawn again and again,
// elsewhere by a line every few seconds. It is used by one goroutine at a time.
type progress struct {
	w     io.Writer
	bar   bool
	quiet bool
	width int
	now   func() time.Time
	count func(int64) string // prints done and total

	step  string
	start time.Time // of the step
	last  time.Time // when something was shown
	shown int       // columns of the bar that stands there
}

func (e *env) newProgress(quiet bool) *progress {
	return &progress{w: e.Err, bar: e.ErrTerminal, quiet: quiet, width: e.columns(), now: time.Now, count: bytesText}
}

func bytesText(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }

// tell shows how far a step is, unless that was shown a moment ago.
func (p *progress) tell(step string, done, total int64) {
	if p.quiet {
		return
	}
	now := p.now()
	if step != p.step {
		p.clear()
		p.step, p.start, p.last = step, now, now
		if !p.bar {
			return // whoever waits for a short step need not read about it
		}
	}
	every := progressLineEvery
	if p.bar {
		every = barEvery
	}
	if now.Sub(p.last) < every || !p.bar && done >= total {
		return // what is done is told by what follows
	}
	p.last = now
	text := p.text(now, done, total)
	if !p.bar {
		fmt.Fprintln(p.w, text)
		return
	}
	p.draw(text, done, total)
}

func (p *progress) text(now time.Time, done, total int64) string {
	text := fmt.Sprintf("%s: %s of %s", p.step, p.count(done), p.count(total))
	if total > 0 {
		text += fmt.Sprintf(", %d %%", 100*min(done, total)/total)
	}
	if took := now.Sub(p.start); took > 2*time.Second && done > 0 && done < total {
		left := time.Duration(float64(took) * float64(total-done) / float64(done))
		text += ", " + spell(left) + " left"
	}
	return text
}

// spell writes a duration for people.
func spell(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}

const barColumns = 24

// draw replaces the bar. The line is never as wide as the terminal: some would break it.
func (p *progress) draw(text string, done, total int64) {
	filled := 0
	if total > 0 {
		filled = int(barColumns * min(done, total) / total)
	}
	line := "[" + strings.Repeat("#", filled) + strings.Repeat(".", barColumns-filled) + "] " + text
	if len(line) >= p.width {
		line = text
	}
	line = line[:min(len(line), p.width-1)]
	fmt.Fprint(p.w, "\r"+line+strings.Repeat(" ", max(p.shown-len(line), 0)))
	p.shown = max(p.shown, len(line))
}

// clear removes the bar, so that something else can be printed.
func (p *progress) clear() {
	if p.shown > 0 {
		fmt.Fprint(p.w, "\r"+strings.Repeat(" ", p.shown)+"\r")
		p.shown = 0
	}
}
