package metrics

import (
	"time"

	"golang.org/x/sys/unix"
)

// process tells what the process has used. The collector of the library reads /proc,
// which the sandbox of the server forbids.
func (w writer) process() {
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) != nil {
		return
	}
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	w.counter("process_cpu_seconds_total", "Time of processors that the server has used, in seconds.", cpu.Seconds())
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
