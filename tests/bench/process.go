package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is what the kernel counts processor time in for programs.
const clockTick = time.Second / 100

// stat is what proc_pid_stat(5) tells of a process.
type stat struct {
	parent int
	cpu    time.Duration // of it and of its children that have ended
}

func statOf(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The name, in parentheses, may hold anything.
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const ppid, utime, cstime = 1, 11, 14 // after the name
	var s stat
	if s.parent, err = strconv.Atoi(f[ppid]); err != nil {
		return s, err
	}
	for _, field := range f[utime : cstime+1] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return s, err
		}
		s.cpu += time.Duration(ticks) * clockTick
	}
	return s, nil
}

// tree is a process and all that descend from it.
func tree(root int) (pids []int, cpu time.Duration) {
	files, _ := filepath.Glob("/proc/[0-9]*")
	all := make(map[int]stat)
	for _, f := range files {
		pid, _ := strconv.Atoi(filepath.Base(f))
		if s, err := statOf(pid); err == nil {
			all[pid] = s
		}
	}
	for pid := range all {
		for up := pid; up > 1; up = all[up].parent {
			if up == root {
				pids, cpu = append(pids, pid), cpu+all[pid].cpu
				break
			}
		}
	}
	return pids, cpu
}

// memory adds a field of smaps_rollup ("Pss", "Rss") over a process and all
// that descend from it, in bytes.
func memory(root int, field string) (n int64, err error) {
	pids, _ := tree(root)
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		_, after, _ := strings.Cut(string(text), field+":")
		kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
		if err != nil {
			return 0, err
		}
		n += kib << 10
	}
	return n, nil
}

// peakRSS is the most that a process had resident, in bytes.
func peakRSS(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	return kib << 10, err
}
