package chunk

// Codes of the level column: 0 is absent, 1 to 8 the levels that detection knows, from levelCustom on a dictionary.
const (
	levelAbsent = 0
	levelCustom = 9
)

var knownLevels = [levelCustom]string{"", "trace", "debug", "info", "warn", "error", "critical", "fatal", "unknown"}

func knownLevelCode(level string) (uint16, bool) {
	switch level {
	case "":
		return levelAbsent, true
	case "trace":
		return 1, true
	case "debug":
		return 2, true
	case "info":
		return 3, true
	case "warn":
		return 4, true
	case "error":
		return 5, true
	case "critical":
		return 6, true
	case "fatal":
		return 7, true
	case "unknown":
		return 8, true
	}
	return 0, false
}
