//go:build !linux

package deliver

import "syscall"

// bound has a command be a process group of its own.
func bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
