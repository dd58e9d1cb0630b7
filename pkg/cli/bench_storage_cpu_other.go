//go:build !linux

package cli

import "time"

// threadCPU is the processor time of the process: this system has no clock of a single thread that Go reaches.
func threadCPU() time.Duration { return ownCPU() }

func processCPU() time.Duration { return ownCPU() }
