package template

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/dustin/go-humanize"
)

// jsonWork is what a byte counts that is read as JSON: of three there may be a list, of 40 and more.
const jsonWork = 16

func (r *run) numberFunctions() texttemplate.FuncMap {
	return texttemplate.FuncMap{
		"int":     func(v any) int { return int(toInt64(v)) },
		"float64": toFloat64,
		"add": func(list ...any) int64 {
			sum := int64(0)
			for _, v := range list {
				sum += toInt64(v)
			}
			return sum
		},
		"sub": func(a, b any) int64 { return toInt64(a) - toInt64(b) },
		"mul": func(v any, list ...any) int64 {
			return fold(toInt64, func(a, b int64) int64 { return a * b }, v, list)
		},
		"div": func(a, b any) int64 { return toInt64(a) / toInt64(b) }, // by zero it panics, which the template reports
		"mod": func(a, b any) int64 { return toInt64(a) % toInt64(b) },
		"max": func(v any, list ...any) int64 {
			return fold(toInt64, func(a, b int64) int64 { return max(a, b) }, v, list)
		},
		"min": func(v any, list ...any) int64 {
			return fold(toInt64, func(a, b int64) int64 { return min(a, b) }, v, list)
		},
		"maxf":  func(v any, list ...any) float64 { return fold(toFloat64, math.Max, v, list) },
		"minf":  func(v any, list ...any) float64 { return fold(toFloat64, math.Min, v, list) },
		"addf":  func(list ...any) (float64, error) { return decimals((*big.Rat).Add, 0.0, list) },
		"subf":  func(v any, list ...any) (float64, error) { return decimals((*big.Rat).Sub, v, list) },
		"mulf":  func(v any, list ...any) (float64, error) { return decimals((*big.Rat).Mul, v, list) },
		"divf":  func(v any, list ...any) (float64, error) { return decimals(quotient, v, list) },
		"ceil":  func(v any) float64 { return math.Ceil(toFloat64(v)) },
		"floor": func(v any) float64 { return math.Floor(toFloat64(v)) },
		"round": round,

		"bytes": func(s string) (float64, error) {
			n, err := humanize.ParseBytes(s)
			return float64(n), err
		},
		"duration":         seconds,
		"duration_seconds": seconds,

		"default": withDefault,
		"fromJson": func(s string) (any, error) {
			if err := r.handle(jsonWork * len(s)); err != nil {
				return nil, err
			}
			var v any
			_ = json.Unmarshal([]byte(s), &v) // what is no JSON is no value
			return v, nil
		},
	}
}

func fold[T any](convert func(any) T, f func(a, b T) T, first any, rest []any) T {
	folded := convert(first)
	for _, v := range rest {
		folded = f(folded, convert(v))
	}
	return folded
}

// toInt64 converts as github.com/spf13/cast does, for sprig: numbers are cut, texts may have a fraction, which is cut too,
// and a prefix such as 0x; everything that is no number is 0.
func toInt64(v any) int64 {
	switch v := v.(type) {
	case string:
		n, err := strconv.ParseInt(integerPart(v), 0, 64)
		if err != nil {
			return 0
		}
		return n
	case bool:
		if v {
			return 1
		}
		return 0
	}
	switch n := reflect.ValueOf(v); {
	case !n.IsValid():
		return 0
	case n.CanInt():
		return n.Int()
	case n.CanUint():
		return int64(n.Uint()) //nolint:gosec // it wraps, as the original does
	case n.CanFloat():
		return int64(n.Float())
	}
	return 0
}

// integerPart returns the digits before the point of a decimal number; other texts as they are.
func integerPart(s string) string {
	whole, fraction, ok := strings.Cut(s, ".")
	digits := strings.TrimPrefix(strings.TrimPrefix(whole, "-"), "+")
	switch {
	case !ok || !isDigits(fraction) || !isDigits(digits) || len(whole)-len(digits) > 1:
		return s
	case digits == "":
		return whole + "0"
	}
	return whole
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// toFloat64 converts as toInt64 does, but keeps fractions.
func toFloat64(v any) float64 {
	switch v := v.(type) {
	case string:
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return 0
		}
		return f
	case float64:
		return v
	}
	switch n := reflect.ValueOf(v); {
	case n.IsValid() && n.CanFloat():
		return n.Float()
	case n.IsValid() && n.CanUint():
		return float64(n.Uint())
	}
	return float64(toInt64(v))
}

var (
	errNotFinite    = errors.New("not a finite number")
	errDivideByZero = errors.New("decimal division by 0")
	errNumberSize   = errors.New("the number has too many digits")
)

// decimals computes with the decimal fractions as they are written, so that 0.1 + 0.2 is 0.3.
func decimals(f func(z, x, y *big.Rat) *big.Rat, first any, rest []any) (float64, error) {
	z, err := toRat(first)
	if err != nil {
		return 0, err
	}
	for _, v := range rest {
		y, err := toRat(v)
		if err != nil {
			return 0, err
		}
		if z = f(z, z, y); z == nil {
			return 0, errDivideByZero
		}
		if z.Num().BitLen() > ratBitsMax || z.Denom().BitLen() > ratBitsMax {
			return 0, errNumberSize
		}
	}
	result, _ := z.Float64()
	return result, nil
}

func toRat(v any) (*big.Rat, error) {
	f := toFloat64(v)
	z, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	if !ok {
		return nil, errNotFinite
	}
	return z, nil
}

// quotientScale is the 16 decimal places of a quotient.
var quotientScale = new(big.Int).Exp(big.NewInt(10), big.NewInt(16), nil)

// quotient sets z to x/y, rounded to 16 places, halves away from zero. It returns nil if y is zero.
func quotient(z, x, y *big.Rat) *big.Rat {
	if y.Sign() == 0 {
		return nil
	}
	z.Quo(x, y)
	n, rest := new(big.Int).Mul(z.Num(), quotientScale), new(big.Int)
	n.QuoRem(n, z.Denom(), rest)
	if rest.Lsh(rest, 1).CmpAbs(z.Denom()) >= 0 {
		n.Add(n, big.NewInt(int64(z.Sign())))
	}
	return z.SetFrac(n, quotientScale)
}

// round rounds to places; a fraction from roundOn on, by default .5, goes up. As in sprig the fraction of a negative number
// is negative and never goes up: round -1.2 0 is -2.
func round(v any, places int, roundOn ...float64) float64 {
	from := .5
	if len(roundOn) > 0 {
		from = roundOn[0]
	}
	pow := math.Pow(10, float64(places))
	digit := pow * toFloat64(v)
	if _, fraction := math.Modf(digit); fraction >= from {
		return math.Ceil(digit) / pow
	}
	return math.Floor(digit) / pow
}

func seconds(s string) (float64, error) {
	d, err := time.ParseDuration(s)
	return d.Seconds(), err
}

// withDefault returns the value, or byDefault if there is none or it is empty: zero, false or without length.
func withDefault(byDefault any, value ...any) any {
	if len(value) == 0 || isEmpty(reflect.ValueOf(value[0])) {
		return byDefault
	}
	return value[0]
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Array, reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
