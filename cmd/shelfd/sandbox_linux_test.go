package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/confine"
	"shelf/keys"
	"shelf/vfs"
	"shelf/vfs/local"
)

// The test runs itself anew, since what is given up is given up for good.
const enclosed = "SHELFD_TEST_ENCLOSED"

func TestSandbox(t *testing.T) {
	if dir := os.Getenv(enclosed); dir != "" {
		escape(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSandbox$", "-test.v")
	cmd.Env = append(os.Environ(), enclosed+"="+dir)
	if testing.CoverMode() != "" {
		// A test with -cover writes files at its end. This one can only do so
		// where the sandbox lets it.
		cmd.Args = append(cmd.Args, "-test.gocoverdir="+filepath.Join(dir, "state"))
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() == noSandbox {
		if os.Getenv("CI") != "" || os.Getenv("SHELF_CI") != "" {
			t.Fatalf("the sandbox cannot be set up: %s", out)
		}
		t.Skipf("the sandbox cannot be set up: %s", out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What is read again is readable, however it is replaced, and private keys are not.
func TestReachOfKeyFiles(t *testing.T) {
	dir := t.TempDir()
	put := func(path, content string) string {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain, mine := put("plain/ada", ""), put("home/ada/.ssh/authorized_keys", "")
	put("home/ada/.ssh/id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\n")
	mixed := put("mixed/ada", "")
	put("mixed/key", "-----BEGIN OPENSSH PRIVATE KEY-----\n")
	home, bare := filepath.Join(dir, "home"), put("bare/.ssh/authorized_keys", "")
	for path, want := range map[string]confine.Reach{
		filepath.Join(dir, "plain/%u"): {Listed: []string{filepath.Dir(plain)}, Read: []string{filepath.Dir(plain)}},
		plain:                          {Files: []string{plain}, Read: []string{filepath.Dir(plain)}},
		filepath.Join(home, "%u/.ssh/authorized_keys"): {Listed: []string{home}, Files: []string{mine}},
		mine:  {Files: []string{mine}},
		mixed: {Files: []string{mixed}},
		bare:  {Files: []string{bare}}, // a private key may come
	} {
		got := reachOf(config.Settings{AuthorizedKeysFile: path, Library: "/l", State: "/s"})
		got.Changed = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("for %s: %+v, want %+v", path, got, want)
		}
	}
}

const noSandbox = 77

// escape tries, as a bug in a handler would, what the server need not do, and
// then what it must.
func escape(t *testing.T, dir string) {
	library, state, configs := filepath.Join(dir, "library"), filepath.Join(dir, "state"), filepath.Join(dir, "config")
	log := filepath.Join(dir, "log")
	for _, folder := range []string{library, state, configs, log} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(configs, "shelfd.toml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	auth := filepath.Join(log, "auth.log") // of somebody else
	if err := os.WriteFile(auth, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := config.Defaults()
	s.AuditLog = filepath.Join(log, "shelfd.json")
	s.Library, s.State, s.File, s.Sandbox.Word = library, state, filepath.Join(configs, "shelfd.toml"), config.SandboxRequire
	home := filepath.Join(dir, "home", ".ssh")
	private := filepath.Join(home, "id_ed25519")
	authorized := filepath.Join(home, "authorized_keys")
	if err := errors.Join(os.MkdirAll(home, 0o700), os.WriteFile(private, nil, 0o600), os.WriteFile(authorized, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s.AuthorizedKeysFile = authorized
	open, err := local.Open(library, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dialed, err := net.Dial("tcp", listener.Addr().String()) // waits to be accepted
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	// A thread that is there before the sandbox is in it too.
	before := make(chan func() error)
	defer close(before)
	tried := make(chan error)
	go func() {
		runtime.LockOSThread()
		for try := range before {
			tried <- try()
		}
	}()
	if err := new(sandbox).open(s); err != nil {
		fmt.Println(err)
		os.Exit(noSandbox)
	}
	for what, err := range map[string]error{
		"read /etc/passwd":      second(os.ReadFile("/etc/passwd")),
		"list the folder above": second(os.ReadDir(dir)),
		"write beside":          os.WriteFile(filepath.Join(dir, "x"), nil, 0o600),
		"write the config":      os.WriteFile(s.File, nil, 0o600),
		"run a program":         exec.Command("/bin/true").Run(),
		"connect":               second(net.Dial("tcp", listener.Addr().String())),
		"read another log":      second(os.ReadFile(auth)),
		"remove another log":    os.Remove(auth),
		"publish another log":   os.Rename(auth, filepath.Join(library, "auth")),
		"link out":              os.Symlink("/etc", filepath.Join(library, "etc")),
		"read a private key":    second(os.ReadFile(private)),
	} {
		if !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, call := range forbidden(dialed.(*net.TCPConn), library) {
		if err := call(); err != syscall.EPERM {
			t.Errorf("%s: %v", what, err)
		}
		before <- call
		if err := <-tried; err != syscall.EPERM {
			t.Errorf("%s in an older thread: %v", what, err)
		}
	}
	accepted, err := listener.Accept()
	if err == nil {
		_, err = accepted.Write([]byte("x"))
		accepted.Close()
	}
	if err != nil {
		t.Errorf("a client is not served: %v", err)
	}
	if _, err := os.ReadFile(authorized); err != nil {
		t.Error(err)
	}
	for range 50 { // new threads
		started := make(chan bool)
		go func() { runtime.LockOSThread(); close(started) }()
		<-started
	}
	runtime.GC()
	upload, err := open.Create(t.Context(), "file", vfs.CreateOptions{Create: true, Truncate: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := upload.WriteAt([]byte("x"), 0); err != nil {
		t.Error(err)
	}
	if _, err := upload.Commit(t.Context()); err != nil {
		t.Errorf("an upload is not published: %v", err)
	}
	if err := another(t, library); err != nil {
		t.Errorf("after its disk was away, a library is not opened again: %v", err)
	}
	if err := open.Close(); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(filepath.Join(library, local.StageFolder))
	if err != nil || slices.ContainsFunc(left, func(e os.DirEntry) bool { return e.IsDir() && e.Name() != "partials" }) {
		t.Errorf("an instance has left its folder: %v, %v", left, err)
	}
	for range 2 { // its own is made, and added to after a reload
		f, err := os.OpenFile(s.AuditLog, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err == nil {
			_, err = f.WriteString("line\n")
		}
		if err != nil {
			t.Errorf("no line is added to the audit log: %v", err)
		}
		f.Close()
	}
	if _, err := os.ReadFile(s.File); err != nil {
		t.Error(err)
	}
	if _, err := keys.OpenHostKeys(state); err != nil {
		t.Error(err)
	}
	// Digests are saved, and their file is replaced.
	saved := filepath.Join(state, "digests")
	if err := errors.Join(os.WriteFile(saved+".new", nil, 0o600), os.Rename(saved+".new", saved)); err != nil {
		t.Errorf("the state folder cannot be written: %v", err)
	}
}

// another opens a library once more, with an upload that is swept after it.
func another(t *testing.T, library string) error {
	first, err := local.Open(library, local.Options{})
	if err != nil {
		return err
	}
	if _, err := first.Create(t.Context(), "torn", vfs.CreateOptions{Create: true}); err != nil {
		return err
	}
	first.Close()
	second, err := local.Open(library, local.Options{})
	if err != nil {
		return err
	}
	return second.Close()
}

// forbidden are system calls that serving does not take. Each would be possible
// for the user who runs the server, or fails with another error than EPERM.
func forbidden(c *net.TCPConn, library string) map[string]func() error {
	call := func(number uintptr, args ...uintptr) func() error {
		var a [6]uintptr
		copy(a[:], args)
		return func() error {
			if _, _, errno := syscall.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
				return errno
			}
			return nil
		}
	}
	socket := func(family, kind, protocol uintptr) func() error {
		return call(unix.SYS_SOCKET, family, kind, protocol)
	}
	var fd uintptr
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(f uintptr) { fd = f })
	}
	path, _ := unix.BytePtrFromString(library)
	buffer := make([]byte, 256)
	at := uintptr(unsafe.Pointer(&buffer[0]))
	const noUser = ^uintptr(0) // changes no owner
	return map[string]func() error{
		"TCP": socket(unix.AF_INET, unix.SOCK_STREAM, 0), "MPTCP": socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
		"UDP": socket(unix.AF_INET6, unix.SOCK_DGRAM, 0), "a unix socket": socket(unix.AF_UNIX, unix.SOCK_STREAM, 0),
		"netlink": socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE), "vsock": socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0),
		"a pair of sockets":  call(unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_STREAM, 0, at),
		"connect":            call(unix.SYS_CONNECT, fd, at, 16),
		"bind":               call(unix.SYS_BIND, fd, at, 16),
		"listen":             call(unix.SYS_LISTEN, fd, 1),
		"sendto":             call(unix.SYS_SENDTO, fd, at, 0, unix.MSG_FASTOPEN, at, 16),
		"sendmsg":            call(unix.SYS_SENDMSG, fd, at, 0),
		"options of IP":      call(unix.SYS_SETSOCKOPT, fd, unix.IPPROTO_IP, unix.IP_TTL, at, 4),
		"execve":             call(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), 0, 0),
		"execveat":           call(unix.SYS_EXECVEAT, 0, uintptr(unsafe.Pointer(path)), 0, 0, 0),
		"a process":          call(unix.SYS_CLONE, unix.CLONE_NEWNS|unix.CLONE_FS),
		"ptrace":             call(unix.SYS_PTRACE, unix.PTRACE_PEEKDATA, 0),
		"another's memory":   call(unix.SYS_PROCESS_VM_READV, uintptr(os.Getpid())),
		"a signal":           call(unix.SYS_KILL, uintptr(os.Getpid()), 0),
		"tgkill another":     call(unix.SYS_TGKILL, uintptr(os.Getppid()), uintptr(os.Getppid()), 0),
		"io_uring":           call(unix.SYS_IO_URING_SETUP, 1, at),
		"bpf":                call(unix.SYS_BPF, 0, at, 0),
		"perf":               call(unix.SYS_PERF_EVENT_OPEN, at, 0, noUser, noUser, 0),
		"keyctl":             call(unix.SYS_KEYCTL, unix.KEYCTL_GET_KEYRING_ID, noUser-2, 0),
		"userfaultfd":        call(unix.SYS_USERFAULTFD, 1),
		"mount":              call(unix.SYS_MOUNT, 0, uintptr(unsafe.Pointer(path)), 0, unix.MS_REMOUNT),
		"umount":             call(unix.SYS_UMOUNT2, uintptr(unsafe.Pointer(path)), 0),
		"a namespace":        call(unix.SYS_UNSHARE, unix.CLONE_FS),
		"chroot":             call(unix.SYS_CHROOT, uintptr(unsafe.Pointer(path))),
		"fchown":             call(unix.SYS_FCHOWN, fd, noUser, noUser),
		"fchownat":           call(unix.SYS_FCHOWNAT, 0, uintptr(unsafe.Pointer(path)), noUser, noUser, 0),
		"setuid":             call(unix.SYS_SETUID, uintptr(os.Getuid())),
		"a name of a device": call(unix.SYS_MKNODAT, 0, uintptr(unsafe.Pointer(path)), unix.S_IFREG, 0),
		"ioctl":              call(unix.SYS_IOCTL, fd, unix.TIOCGWINSZ, at),
		"prctl":              call(unix.SYS_PRCTL, unix.PR_GET_DUMPABLE),
		"a limit":            call(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, at),
		"code in memory":     call(unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON, noUser, 0),
		"memory as code":     call(unix.SYS_MPROTECT, at&^4095, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC),
		"a file in memory":   call(unix.SYS_MEMFD_CREATE, uintptr(unsafe.Pointer(path)), 0),
		"a module":           call(unix.SYS_INIT_MODULE, at, 0, at),
		"a reboot":           call(unix.SYS_REBOOT, 0, 0, 0),
	}
}

func second[T any](_ T, err error) error { return err }
