package app

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/plugin"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// storeWarnings say what is wrong with the open store.
func storeWarnings(db *logdb.DB, t logdb.Totals) []plugin.Notice {
	out := append(logWarnings(db.LogState()), spaceWarnings(db.Guard())...)
	for _, d := range db.Replay().Damage {
		out = append(out, blockNotice(fmt.Sprintf("The write-ahead log was damaged when the store opened: %s.", d)))
	}
	for _, g := range db.Replay().Groups {
		out = append(out, blockNotice(g+"."))
	}
	texts, more, tending := db.Faults()
	for _, text := range texts {
		out = append(out, blockNotice(text+"."))
	}
	if more > 0 {
		out = append(out, plugin.Notice{Text: fmt.Sprintf("%d more faults of blocks; the log has them all.", more)})
	}
	if tending != "" {
		const late = "Blocks are not merged, and retention may be late: %s. It is tried again."
		out = append(out, notice(late, "the log of Grafana says why", tending))
	}
	if t.LastFlushError != "" {
		const failed = "The last flush to disk failed; the write-ahead log keeps what it was to write, and it is tried again: %s."
		out = append(out, notice(failed, "the log of Grafana says why", t.LastFlushError))
	}
	return out
}

// logWarnings say that the write-ahead log cannot be written, or could not.
func logWarnings(st wal.State) []plugin.Notice {
	switch {
	case st.Failure != nil:
		format := "Pushes are refused: the write-ahead log cannot be written since " + st.FailedSince.UTC().Format(time.RFC3339) +
			": %s. " + remedy(st.Failure) + " Queries go on, and it is tried again every second."
		return []plugin.Notice{notice(format, cause(st.Failure), st.Failure.Error())}
	case st.LastFailure != nil && time.Since(st.LastFailureAt) < failureShown:
		format := "The write-ahead log could not be written at " + st.LastFailureAt.UTC().Format(time.RFC3339) +
			" and works again: %s. Look at the disk."
		return []plugin.Notice{notice(format, cause(st.LastFailure), st.LastFailure.Error())}
	}
	return nil
}

// failureShown is how long a failure that is over stays in health.
const failureShown = 24 * time.Hour

func spaceWarnings(g logdb.GuardState) []plugin.Notice {
	switch {
	case g.Refusing:
		return []plugin.Notice{{Text: fmt.Sprintf("Pushes are refused since %s: the disk has %s free and %s are kept free (storage.free_space_min). Nothing is deleted, queries go on, and it heals by itself when there is room.",
			g.Since.UTC().Format(time.RFC3339), humanize.IBytes(g.Disk.Free), humanize.IBytes(g.Guard))}}
	case g.Err != nil:
		return []plugin.Notice{notice("The free space of the disk is not known, so nothing guards it: %s.", cause(g.Err), g.Err.Error())}
	}
	return nil
}

// notice fills what everybody may read, and what Admins may, into one sentence.
func notice(format, text, detail string) plugin.Notice {
	n := plugin.Notice{Text: fmt.Sprintf(format, text)}
	if detail != text {
		n.Detail = fmt.Sprintf(format, detail)
	}
	if n.Detail != "" {
		n.Apart = n.Text // the name of a file may have a tenant's in it
	}
	return n
}

// blockNotice is about files of some tenant, whose name it has.
func blockNotice(detail string) plugin.Notice {
	return plugin.Notice{
		Text:   "Stored logs were found damaged; an Admin sees here which, and docs/operating.md says what to do.",
		Detail: detail,
		Apart:  "Stored logs were found damaged; the log of Grafana says which, and docs/operating.md says what to do.",
	}
}

// cause is what the operating system said, without the names of files.
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return "the log of Grafana says why"
}

// remedy is what a person can do about a failure to write.
func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "Make room on the disk of the data directory."
	case errors.Is(err, syscall.EROFS):
		return "Make its file system writable again (mount -o remount,rw), and look at dmesg for why it is not."
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "Give the data directory back to Woodshed's user."
	}
	return "Look at the disk (dmesg, SMART)."
}
