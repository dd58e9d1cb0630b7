package logdb

// The names below the data directory.
const (
	lockName       = "LOCK"
	stateName      = "state.json"
	walName        = "wal"
	blocksName     = "blocks"
	quarantineName = "quarantine"
	tmpName        = "tmp"
	backupName     = "backup.json" // in a backup: what it holds
)
