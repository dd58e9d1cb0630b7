package syntax

import (
	"errors"
	"fmt"
)

// PatternPart is one piece of a pattern: text that must be there, or a capture of what lies between.
type PatternPart struct {
	Literal string // "" for a capture
	Capture string // its name, "_" when it has none; "" for a literal
}

// ParsePattern reads the pattern of a | pattern stage: captures <name> and <_> between literals, with at least one name.
func ParsePattern(text string) ([]PatternPart, error) {
	if text == "" {
		return nil, errors.New("syntax error: unexpected $end, expecting IDENTIFIER or LITERAL")
	}
	parts, err := splitPattern(text)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, part := range parts {
		if part.Capture == "" || part.Capture == "_" {
			continue
		}
		if seen[part.Capture] {
			return nil, fmt.Errorf("duplicate capture name (%s): invalid expression", part.Capture)
		}
		seen[part.Capture] = true
	}
	if len(seen) == 0 {
		return nil, errors.New("at least one capture is required")
	}
	return parts, nil
}

// ParseLinePattern reads the pattern of a line filter: <_> between literals, without names. No parts at all stand for the
// empty pattern.
func ParseLinePattern(text string) ([]PatternPart, error) {
	parts, err := splitPattern(text)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		if part.Capture != "" && part.Capture != "_" {
			return nil, fmt.Errorf("named captures are not allowed: found '<%s>'", part.Capture)
		}
	}
	return parts, nil
}

func splitPattern(text string) ([]PatternPart, error) {
	var parts []PatternPart
	literal := 0 // where the pending literal begins
	flush := func(end int) {
		if end > literal {
			parts = append(parts, PatternPart{Literal: text[literal:end]})
		}
	}
	for i := 0; i < len(text); {
		name := captureAt(text, i)
		if name == "" {
			i++
			continue
		}
		flush(i)
		if n := len(parts); n > 0 && parts[n-1].Capture != "" {
			return nil, fmt.Errorf("found consecutive capture '<%s><%s>': invalid expression", parts[n-1].Capture, name)
		}
		parts = append(parts, PatternPart{Capture: name})
		i += len(name) + 2
		literal = i
	}
	flush(len(text))
	return parts, nil
}

// captureAt returns the name of the capture <name> that begins at offset i, "" when none does.
func captureAt(text string, i int) string {
	if text[i] != '<' {
		return ""
	}
	for j := i + 1; j < len(text); j++ {
		switch c := text[j]; {
		case c == '>':
			return text[i+1 : j]
		case c == '_', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', isDigit(c) && j > i+1:
		default:
			return ""
		}
	}
	return ""
}
