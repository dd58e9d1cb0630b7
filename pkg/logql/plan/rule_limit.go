package plan

// pushLimit has the store stop at the limit of a log query. It may when whatever the store hands out is part of the answer:
// no stage is left that could drop an entry. Else the engine asks for more until there are enough.
func pushLimit(r *read) { r.limited = r.metric == nil && r.compiled.Empty() }
