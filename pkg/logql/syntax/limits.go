package syntax

const (
	// queryBytesMax is Loki's bound of a query's text.
	queryBytesMax = 131072
	// depthMax bounds nested parentheses and aggregations, and so the stack of everything that walks a tree. Queries
	// written by people stay below 50.
	depthMax = 512
	// operatorsMax bounds the binary operators of a query: a chain of them is a tree as deep as it is long.
	operatorsMax = 1000
	// regexpCostMax bounds the compiled size, in instructions of about 40 bytes each, of one query's regular expressions
	// together. RE2 expands counted repeats, so "(x{1000}){1000}"-like texts would otherwise cost hundreds of megabytes.
	regexpCostMax = 200_000
)
