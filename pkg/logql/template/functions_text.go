package template

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	texttemplate "text/template"
)

func (r *run) textFunctions() texttemplate.FuncMap {
	return texttemplate.FuncMap{
		"ToLower":   r.ofText(strings.ToLower),
		"ToUpper":   r.ofText(strings.ToUpper),
		"TrimSpace": r.ofText(strings.TrimSpace),
		"lower":     r.ofText(strings.ToLower),
		"upper":     r.ofText(strings.ToUpper),
		"trim":      r.ofText(strings.TrimSpace),
		"title":     r.ofText(strings.Title), //nolint:staticcheck // sprig's title is this one
		"urlencode": r.ofText(url.QueryEscape),
		"b64enc":    r.ofText(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }),
		"b64dec":    r.ofText(decodeBase64),
		"urldecode": func(s string) (string, error) {
			plain, err := url.QueryUnescape(s)
			if err != nil {
				return "", err
			}
			return r.made(plain)
		},

		"Trim":       r.ofTexts(strings.Trim),
		"TrimLeft":   r.ofTexts(strings.TrimLeft),
		"TrimRight":  r.ofTexts(strings.TrimRight),
		"TrimPrefix": r.ofTexts(strings.TrimPrefix),
		"TrimSuffix": r.ofTexts(strings.TrimSuffix),
		"trimAll":    r.ofTexts(func(cutset, s string) string { return strings.Trim(s, cutset) }),
		"trimPrefix": r.ofTexts(func(prefix, s string) string { return strings.TrimPrefix(s, prefix) }),
		"trimSuffix": r.ofTexts(func(suffix, s string) string { return strings.TrimSuffix(s, suffix) }),

		"contains":  r.testOf(strings.Contains),
		"hasPrefix": r.testOf(strings.HasPrefix),
		"hasSuffix": r.testOf(strings.HasSuffix),

		"Replace":    r.replace,
		"replace":    func(old, by, s string) (string, error) { return r.replace(s, old, by, -1) },
		"trunc":      r.ofCount(truncate),
		"alignLeft":  r.ofCount(alignLeft),
		"alignRight": r.ofCount(alignRight),
		"indent":     r.ofCount(indent),
		"nindent": r.ofCount(func(spaces int, s string) (string, error) {
			s, err := indent(spaces, s)
			return "\n" + s, err
		}),
		"repeat": r.ofCount(repeat),
		"substr": func(from, to int, s string) (string, error) { return r.made(substring(from, to, s)) },
	}
}

func (r *run) ofText(f func(s string) string) func(string) (string, error) {
	return func(s string) (string, error) {
		if err := r.handle(len(s)); err != nil {
			return "", err
		}
		return r.made(f(s))
	}
}

func (r *run) ofTexts(f func(a, b string) string) func(string, string) (string, error) {
	return func(a, b string) (string, error) {
		if err := r.handle(len(a) + len(b)); err != nil {
			return "", err
		}
		return r.made(f(a, b))
	}
}

// testOf turns the arguments around: contains "part" of.
func (r *run) testOf(f func(s, part string) bool) func(string, string) (bool, error) {
	return func(part, s string) (bool, error) { return f(s, part), r.handle(len(s) + len(part)) }
}

func (r *run) ofCount(f func(count int, s string) (string, error)) func(int, string) (string, error) {
	return func(count int, s string) (string, error) {
		if err := r.handle(len(s)); err != nil {
			return "", err
		}
		made, err := f(count, s)
		if err != nil {
			return "", err
		}
		return r.made(made)
	}
}

func (r *run) replace(s, old, by string, limit int) (string, error) {
	if err := r.handle(len(s)); err != nil {
		return "", err
	}
	count := strings.Count(s, old)
	if limit >= 0 {
		count = min(count, limit)
	}
	if len(s)+count*(len(by)-len(old)) > outputBytesMax {
		return "", errTooLong
	}
	return r.made(strings.Replace(s, old, by, limit))
}

// decodeBase64 adds the padding that may be absent. What is no base64 becomes the text of the error.
func decodeBase64(s string) string {
	if rest := len(s) % 4; rest > 1 {
		s += strings.Repeat("=", 4-rest)
	}
	plain, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return err.Error()
	}
	return string(plain)
}

// truncate keeps the first count bytes, or the last -count. It may cut a character apart, as sprig's does.
func truncate(count int, s string) (string, error) {
	switch {
	case count >= 0 && count < len(s):
		return s[:count], nil
	case count < 0 && len(s)+count > 0:
		return s[len(s)+count:], nil
	}
	return s, nil
}

// substring takes bytes, as sprig's does, up to the end when to is negative or beyond it. With a negative from it takes the
// first to bytes. Out of range it panics, which the template reports.
func substring(from, to int, s string) string {
	switch {
	case from < 0:
		return s[:to]
	case to < 0 || to > len(s):
		return s[from:]
	}
	return s[from:to]
}

// alignLeft makes the text count characters long, by spaces behind it or by leaving out its end.
func alignLeft(count int, s string) (string, error) {
	runes := []rune(s)
	switch missing := count - len(runes); {
	case count > outputBytesMax:
		return "", errTooLong
	case count < 0 || missing == 0:
		return s, nil
	case missing > 0:
		return s + strings.Repeat(" ", missing), nil
	}
	return string(runes[:count]), nil
}

// alignRight makes the text count characters long, by spaces before it or by leaving out its start.
func alignRight(count int, s string) (string, error) {
	runes := []rune(s)
	switch missing := count - len(runes); {
	case count > outputBytesMax:
		return "", errTooLong
	case count < 0 || missing == 0:
		return s, nil
	case missing > 0:
		return strings.Repeat(" ", missing) + s, nil
	}
	return string(runes[len(runes)-count:]), nil
}

var errNegativeCount = errors.New("strings: negative Repeat count")

func indent(spaces int, s string) (string, error) {
	switch {
	case spaces < 0:
		return "", errNegativeCount
	case spaces > outputBytesMax, len(s)+spaces*(1+strings.Count(s, "\n")) > outputBytesMax:
		return "", errTooLong
	}
	pad := strings.Repeat(" ", spaces)
	return pad + strings.ReplaceAll(s, "\n", "\n"+pad), nil
}

func repeat(count int, s string) (string, error) {
	switch {
	case count < 0:
		return "", errNegativeCount
	case s == "":
		return "", nil
	case count > outputBytesMax/len(s):
		return "", errTooLong
	}
	return strings.Repeat(s, count), nil
}
