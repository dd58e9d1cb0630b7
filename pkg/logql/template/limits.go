package template

import (
	"errors"
	"text/template/parse"
)

const (
	// outputBytesMax bounds what one run makes, and any text on the way there: four times the longest line that is taken
	// in.
	outputBytesMax = 1 << 20
	// stepsMax bounds the nodes that one run walks and the iterations of its ranges. A range over the longest JSON array
	// that people log stays far below.
	stepsMax = 1 << 16
	// stepsUnasked is after how many of them a run asks whether anybody waits for it.
	stepsUnasked = 64
	// workBytesMax bounds the bytes that the functions called in one run read and make together.
	workBytesMax = 64 << 20
	// formatBytesMax bounds what a single printf may make before its length is known.
	formatBytesMax = 64 << 20
	// tickBytes is the text of a pipeline that counts as one step more.
	tickBytes = 64
	// cachedMax bounds the regular expressions and time zones that a template keeps. Most have one.
	cachedMax = 16
	// ratBitsMax bounds the numbers that the decimal functions compute with. A float64 needs about a thousand.
	ratBitsMax = 1 << 14
)

var (
	errTooLong = errors.New("template: the output has more than 1 MiB")
	errSteps   = errors.New("template: too many steps")
	errWork    = errors.New("template: the functions have too much text to handle")
	errEnded   = errors.New("template: nobody waits for the output any more")
)

// run is the state of one execution, and what the next one may use again. It is the writer that text/template writes to,
// which is also how steps are counted: addTicks puts empty texts into the trees, and each is written.
type run struct {
	entry Entry
	out   []byte
	start int // of this run in out
	steps int
	work  int

	dot     map[string]string
	regexps map[string]*compiledRegexp
	zones   map[string]*zone
}

func (r *run) begin(dst []byte, e Entry) {
	r.entry, r.out, r.start, r.steps, r.work = e, dst, len(dst), 0, 0
}

// Write appends to the output.
func (r *run) Write(p []byte) (int, error) {
	r.steps++
	switch {
	case r.steps > stepsMax:
		return 0, errSteps
	case r.steps%stepsUnasked == 0 && r.entry.Ended():
		return 0, errEnded
	}
	if len(r.out)-r.start+len(p) > outputBytesMax {
		return 0, errTooLong
	}
	r.out = append(r.out, p...)
	return len(p), nil
}

// handle counts bytes that a function is about to read or has made.
func (r *run) handle(bytes int) error {
	if r.work += bytes; r.work > workBytesMax || bytes < 0 {
		return errWork
	}
	return nil
}

// made lets a function return a text.
func (r *run) made(s string) (string, error) {
	if len(s) > outputBytesMax {
		return "", errTooLong
	}
	return s, r.handle(len(s))
}

// addTicks makes the execution of lists count, for templates that can run for longer than they are: with range, or calls of
// templates that call templates.
func addTicks(trees map[string]*parse.Tree) {
	repeats := false
	for _, t := range trees {
		repeats = repeats || hasRepeats(t.Root)
	}
	if !repeats {
		return
	}
	for _, t := range trees {
		tickList(t.Root)
	}
}

func hasRepeats(n parse.Node) bool {
	switch n := n.(type) {
	case *parse.RangeNode, *parse.TemplateNode:
		return true
	case *parse.ListNode:
		if n == nil {
			return false
		}
		for _, child := range n.Nodes {
			if hasRepeats(child) {
				return true
			}
		}
	case *parse.IfNode:
		return hasRepeats(n.List) || hasRepeats(n.ElseList)
	case *parse.WithNode:
		return hasRepeats(n.List) || hasRepeats(n.ElseList)
	}
	return false
}

// tickList puts empty texts into a list and those below: one at its start, for a range may have an empty body, and as many
// before a node as its pipeline is long.
func tickList(list *parse.ListNode) {
	if list == nil {
		return
	}
	nodes := []parse.Node{tickAt(list)}
	for _, n := range list.Nodes {
		var pipe *parse.PipeNode
		switch n := n.(type) {
		case *parse.ActionNode:
			pipe = n.Pipe
		case *parse.TemplateNode:
			pipe = n.Pipe
		case *parse.IfNode:
			pipe = tickBranch(&n.BranchNode)
		case *parse.WithNode:
			pipe = tickBranch(&n.BranchNode)
		case *parse.RangeNode:
			pipe = tickBranch(&n.BranchNode)
		}
		if pipe != nil {
			for range 1 + len(pipe.String())/tickBytes {
				nodes = append(nodes, tickAt(n))
			}
		}
		nodes = append(nodes, n)
	}
	list.Nodes = nodes
}

func tickBranch(b *parse.BranchNode) *parse.PipeNode {
	tickList(b.List)
	tickList(b.ElseList)
	return b.Pipe
}

func tickAt(n parse.Node) parse.Node {
	return &parse.TextNode{NodeType: parse.NodeText, Pos: n.Position()}
}
