package template

import (
	"fmt"
	texttemplate "text/template"
)

// printFunctions are those of text/template, held to a length before they begin: "%999999d" is short, and so is a template
// that prints a line a thousand times.
func (r *run) printFunctions() texttemplate.FuncMap {
	return texttemplate.FuncMap{
		"print":    r.ofValues(fmt.Sprint),
		"println":  r.ofValues(fmt.Sprintln),
		"html":     r.ofValues(texttemplate.HTMLEscaper),
		"js":       r.ofValues(texttemplate.JSEscaper),
		"urlquery": r.ofValues(texttemplate.URLQueryEscaper),
		"printf": func(format string, args ...any) (string, error) {
			if err := r.handleValues(args); err != nil {
				return "", err
			}
			if formatCost(format, args) > formatBytesMax {
				return "", errTooLong
			}
			return r.made(fmt.Sprintf(format, args...))
		},
	}
}

func (r *run) ofValues(f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		if err := r.handleValues(args); err != nil {
			return "", err
		}
		return r.made(f(args...))
	}
}

func (r *run) handleValues(args []any) error {
	for _, arg := range args {
		if err := r.handle(sizeOf(arg)); err != nil {
			return err
		}
	}
	return nil
}

// otherBytes stands for the size of what is neither text nor made of texts: a number, a time.
const otherBytes = 64

// sizeOf estimates what a value takes when it is printed.
func sizeOf(v any) int {
	size := otherBytes
	switch v := v.(type) {
	case string:
		return len(v)
	case map[string]string:
		for name, value := range v {
			size += len(name) + len(value) + otherBytes
		}
	case map[string]any:
		for name, value := range v {
			size += len(name) + sizeOf(value)
		}
	case []any:
		for _, value := range v {
			size += sizeOf(value)
		}
	}
	return size
}

const (
	// verbGrowth is the most that a verb makes of a byte, such as \u00ff.
	verbGrowth = 6
	// widthMax is the largest width and precision that package fmt accepts.
	widthMax = 1_000_000
)

// formatCost returns a bound of what fmt.Sprintf makes: each verb prints the largest of the arguments at its full width and
// precision, and all arguments may be extra ones.
func formatCost(format string, args []any) int {
	largest, cost := otherBytes, len(format)
	for _, arg := range args {
		size := sizeOf(arg)
		largest, cost = max(largest, size), cost+size+otherBytes
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		number := 0
		for i++; i < len(format) && isFlag(format[i]); i++ {
			switch c := format[i]; {
			case '0' <= c && c <= '9':
				number = min(10*number+int(c-'0'), widthMax)
				continue
			case c == '*':
				cost += widthMax
			}
			cost, number = cost+number, 0
		}
		cost += number + verbGrowth*largest
	}
	return cost
}

// isFlag reports whether the byte may stand between % and the verb.
func isFlag(c byte) bool {
	switch c {
	case '+', '-', '#', ' ', '.', '*', '[', ']':
		return true
	}
	return '0' <= c && c <= '9'
}
