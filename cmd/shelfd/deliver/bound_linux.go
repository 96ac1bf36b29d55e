package deliver

import "syscall"

// bound has a command be a process group of its own, which ends with this process
// however that ends: one that is left over could come after another for a later event.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
