package contract

// Levels of a system record.
const (
	LevelInfo  = "info"
	LevelWarn  = "warn"
	LevelError = "error"
)
