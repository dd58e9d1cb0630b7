//go:build unix

package testkit

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Alive reports whether a process runs. A zombie does not: where nobody reaps orphans, it is what remains of one.
func Alive(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist) || !hasProc()
	}
	// The state stands behind the name, which is in parentheses and may hold any character.
	text := string(stat)
	_, state, _ := strings.Cut(text[strings.LastIndexByte(text, ')')+1:], " ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

func hasProc() bool {
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}

// Signal sends a signal to a process.
func Signal(pid int, signal syscall.Signal) error { return syscall.Kill(pid, signal) }

// Gone fails the check of Eventually while a process runs.
func Gone(pid int) func() error {
	return func() error {
		if Alive(pid) {
			return fmt.Errorf("process %d still runs", pid)
		}
		return nil
	}
}
