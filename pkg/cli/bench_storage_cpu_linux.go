package cli

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadCPU is the processor time of the calling thread. getrusage would do, but what it tells of a running thread is as old
// as the last tick of the scheduler: milliseconds.
func threadCPU() time.Duration { return cpuClock(unix.CLOCK_THREAD_CPUTIME_ID) }

// processCPU is the processor time of all threads.
func processCPU() time.Duration { return cpuClock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func cpuClock(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
