package sshd

import (
	"syscall"
	"unsafe"
)

// readNow is read(2) and writeNow writev(2) of a socket that does not block, as
// all of package net are. The runtime is not told of the call: it would believe
// that the processor is free meanwhile, and wake a thread for it whenever a call
// takes as long as 20 microseconds, which is what it takes to copy a packet.

func readNow(fd uintptr, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

func writeNow(fd uintptr, b [2][]byte) (int, error) {
	var v [2]syscall.Iovec
	for i := range v {
		v[i].Base = unsafe.SliceData(b[i])
		v[i].SetLen(len(b[i]))
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&v)), uintptr(len(v)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
