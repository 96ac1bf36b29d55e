package confine

import (
	"fmt"
	"os"
	"runtime"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// allowedCalls are the system calls that serving takes. What is not here fails
// with EPERM: among it socket, connect, bind, listen, sendto and sendmsg (no
// TCP, MPTCP, UDP, unix socket or netlink), execve, ptrace, io_uring_setup, bpf,
// keyctl, mount, the chown and the namespace calls.
//
// sendto stays out though it needs a socket: with MSG_FASTOPEN it connects one.
func allowedCalls() []string {
	return append(runtimeCalls(),
		// Data: of files and of accepted connections.
		"read", "readv", "pread64", "preadv", "write", "writev", "pwrite64", "pwritev",
		"lseek", "copy_file_range", "sync_file_range", "fadvise64", "close", "fcntl", "dup", "dup3",

		// Files and their names. open, stat and the like are older forms that
		// some architectures still have.
		"openat", "openat2", "open", "fstat", "newfstatat", "stat", "lstat", "statx", "fstatfs", "statfs",
		"getdents64", "readlinkat", "readlink", "access", "faccessat", "faccessat2", "getcwd",
		"fsync", "fdatasync", "ftruncate", "fallocate", "flock",
		"fchmod", "utimensat", "fsetxattr", "fgetxattr", "linkat", "mkdirat", "mkdir", "unlinkat", "unlink", "rmdir", "renameat", "renameat2", "rename",

		// Connections that have been accepted.
		"accept4", "accept", "shutdown", "getsockname", "getpeername", "getsockopt",
	)
}

// runtimeCalls are those that any program in Go takes.
func runtimeCalls() []string {
	return []string{
		// Waiting for descriptors.
		"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "poll", "ppoll",

		// Memory, threads, time and signals, for the runtime of Go and for libc.
		"munmap", "madvise", "mincore", "mremap", "brk", "membarrier",
		"futex", "rseq", "set_robust_list", "exit", "exit_group", "restart_syscall",
		"sched_yield", "sched_getaffinity", "getcpu", "getrandom", "nanosleep", "clock_nanosleep", "clock_gettime",
		"clock_getres", "gettimeofday", "time", "getpid", "gettid", "getuid", "geteuid", "getgid", "getegid",
		"getrusage", "uname", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
	}
}

// narrowCalls are those that are allowed with some arguments alone.
func narrowCalls() []seccomp.NameWithConditions {
	when := func(name string, argument uint32, is seccomp.Operation, value uint64) seccomp.NameWithConditions {
		return seccomp.NameWithConditions{Name: name, Conditions: seccomp.ArgumentConditions{{Argument: argument, Operation: is, Value: value}}}
	}
	const prSetVMA = 0x53564d41 // names memory of the Go runtime
	return []seccomp.NameWithConditions{
		when("clone", 0, seccomp.BitsSet, unix.CLONE_THREAD), // a thread, not a process
		when("mmap", 2, seccomp.BitsNotSet, unix.PROT_EXEC),
		when("mprotect", 2, seccomp.BitsNotSet, unix.PROT_EXEC),
		when("prctl", 0, seccomp.Equal, prSetVMA),
		when("tgkill", 0, seccomp.Equal, uint64(os.Getpid())), // the runtime interrupts its threads
		when("prlimit64", 2, seccomp.Equal, 0),                // asks for a limit, sets none
		when("setsockopt", 1, seccomp.Equal, unix.SOL_SOCKET),
		when("setsockopt", 1, seccomp.Equal, unix.IPPROTO_TCP),
	}
}

// connecting are the calls that it takes to reach the store of a bucket, and who
// knows its address: sockets of IPv4 and IPv6 alone. Which TCP ports they may
// connect to is for [Files].
func connecting() []seccomp.NameWithConditions {
	socket := func(family uint64) seccomp.NameWithConditions {
		return seccomp.NameWithConditions{Name: "socket", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: family}}}
	}
	return []seccomp.NameWithConditions{socket(unix.AF_INET), socket(unix.AF_INET6)}
}

// passing is the call that it takes to send an open file to the process that asks
// scanners. Without flags it connects nothing; see sendto.
func passing() []seccomp.NameWithConditions {
	return []seccomp.NameWithConditions{{Name: "sendmsg", Conditions: seccomp.ArgumentConditions{{Argument: 2, Operation: seccomp.Equal, Value: 0}}}}
}

// Needs are calls that some servers need and others do not.
type Needs struct {
	Connects bool // to the stores of libraries in buckets
	Passes   bool // files to the process that asks scanners
}

// Calls has the kernel refuse what is not in these tables, in every
// thread, for good. A refused call fails and does not end the process: then a
// client who can bring the server to a stray call would end it for everybody,
// and the call is no less impossible.
func Calls(n Needs) error {
	names, narrow := allowedCalls(), narrowCalls()
	if n.Connects {
		names, narrow = append(names, "connect"), append(narrow, connecting()...)
	}
	if n.Passes {
		narrow = append(narrow, passing()...)
	}
	return allowOnly(names, narrow)
}

// ScannerCalls is for the process that asks scanners. It opens no file and makes none:
// it gets them open. It connects to unix sockets.
func ScannerCalls() error {
	names := append(runtimeCalls(), "read", "readv", "pread64", "write", "writev", "lseek", "close", "fcntl", "fstat",
		"connect", "recvmsg", "sendmsg", "shutdown", "getsockname", "getpeername", "getsockopt")
	narrow := append(narrowCalls(), seccomp.NameWithConditions{
		Name: "socket", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: unix.AF_UNIX}},
	})
	return allowOnly(names, narrow)
}

// allowOnly loads the filter.
func allowOnly(names []string, narrow []seccomp.NameWithConditions) error {
	here, err := arch.GetInfo("")
	if err != nil || here != arch.X86_64 && here != arch.AARCH64 {
		return fmt.Errorf("seccomp: which system calls serving takes is not known for %s", runtime.GOARCH)
	}
	allow := seccomp.SyscallGroup{Action: seccomp.ActionAllow}
	for _, name := range names {
		if _, ok := here.SyscallNames[name]; ok {
			allow.Names = append(allow.Names, name)
		}
	}
	allow.NamesWithCondtions = narrow
	// The flags of clone3 cannot be looked at. With this answer, libc calls clone.
	absent := seccomp.SyscallGroup{Names: []string{"clone3"}, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)}
	runtime.LockOSThread() // no_new_privs is that of a thread, until the filter gives it to all
	defer runtime.UnlockOSThread()
	return seccomp.LoadFilter(seccomp.Filter{
		NoNewPrivs: true,
		// Without TSYNC_ESRCH a thread that cannot be filtered is no error.
		Flag:   seccomp.FilterFlagTSync | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
		Policy: seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{allow, absent}},
	})
}
