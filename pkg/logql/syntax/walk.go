package syntax

// Walk calls visit for e and every expression in it, outer before inner, left before right. When visit returns false the
// inner ones of that expression are left out.
func Walk(e Expr, visit func(Expr) bool) {
	if !visit(e) {
		return
	}
	switch e := e.(type) {
	case *RangeAggregation:
		Walk(e.Log, visit)
	case *VectorAggregation:
		Walk(e.Expr, visit)
	case *Binary:
		Walk(e.LHS, visit)
		Walk(e.RHS, visit)
	case *LabelReplace:
		Walk(e.Expr, visit)
	}
}

// WalkFilter calls visit for f and every filter in it, outer before inner, in the order written.
func WalkFilter(f LabelFilter, visit func(LabelFilter)) {
	visit(f)
	var list []LabelFilter
	switch f := f.(type) {
	case *AndFilter:
		list = f.Filters
	case *OrFilter:
		list = f.Filters
	}
	for _, m := range list {
		WalkFilter(m, visit)
	}
}
