package config

import (
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

const memoryFileBytesMax = 64 << 10 // of a file in /proc or /sys

// AutoMemoryLimit returns what memory_limit 0 stands for: a quarter of the smaller of the machine's memory and the
// control group's limit, at least 256 MiB. A plugin shares its group with Grafana. root is the file system's root.
func AutoMemoryLimit(root fs.FS) Bytes {
	total := int64(0)
	smaller := func(n int64) {
		if n > 0 && (total == 0 || n < total) {
			total = n
		}
	}
	smaller(memTotal(readSmall(root, "proc/meminfo")))
	names := []string{"sys/fs/cgroup/memory/memory.limit_in_bytes"} // version 1
	for dir := ownGroup(readSmall(root, "proc/self/cgroup")); ; dir = path.Dir(dir) {
		names = append(names, path.Join("sys/fs/cgroup", dir, "memory.max")) // version 2: every ancestor's limit holds too
		if dir == "/" {
			break
		}
	}
	for _, name := range names {
		if n, err := strconv.ParseInt(strings.TrimSpace(readSmall(root, name)), 10, 64); err == nil {
			smaller(n) // "max" is no number: no limit
		}
	}
	return Bytes(max(total/4, memoryLimitMin))
}

// ownGroup returns the path of the process's control group of version 2, "/" when there is none.
func ownGroup(selfCgroup string) string {
	for line := range strings.Lines(selfCgroup) {
		if dir, found := strings.CutPrefix(strings.TrimSpace(line), "0::"); found {
			return path.Clean("/" + dir)
		}
	}
	return "/"
}

func memTotal(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err == nil && kib < 1<<50 {
				return kib << 10
			}
		}
	}
	return 0
}

func readSmall(root fs.FS, name string) string {
	f, err := root.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	body, err := io.ReadAll(io.LimitReader(f, memoryFileBytesMax))
	if err != nil {
		return ""
	}
	return string(body)
}
