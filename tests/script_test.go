package tests

import (
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the sessions in testdata, each in a folder and with a home
// of its own. To testscript's own commands they add:
//
//	need PROGRAM...   skip, or fail in CI, when a program is not installed
//	serve [ARG...]    start a shelfd with these flags more; it serves
//	                  ./library, ./ssh_config has it as the host "shelf", and
//	                  ./announced is what it printed
//	shutdown          stop that shelfd, which must exit with status 0
//	random FILE SIZE  make a file of so many random bytes
//
// After serve, $ADDR, $HOST and $PORT say where it listens and $FINGERPRINT is
// its host key's, as SHA256:...; $USER is the account and ./id its private key. The condition [root] holds for root, who
// is bound by no permission, and [bucket] where the library lies in a bucket.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUpScript,
		Condition:           func(name string) (bool, error) { return name == "root" && os.Geteuid() == 0, nil },
		Cmds:                scriptCommands(t),
	})
}

// scriptCommands are those that are added to testscript's own.
func scriptCommands(t *testing.T) map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"need":     needCmd,
		"serve":    func(ts *testscript.TestScript, _ bool, args []string) { serveCmd(t, ts, args) },
		"shutdown": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(stateOf(ts).server.stop()) },
		"random":   randomCmd,
	}
}

// script is what the commands of one script share.
type script struct {
	t        testscript.T
	server   *server
	inBucket bool // the library lies in a bucket
}

type scriptKey struct{}

func stateOf(ts *testscript.TestScript) *script { return ts.Value(scriptKey{}).(*script) }

func setUpScript(env *testscript.Env) error {
	home := env.WorkDir + "/home"
	env.Setenv("HOME", home)
	env.Setenv("USER", user)
	env.Values[scriptKey{}] = &script{t: env.T()}
	return os.MkdirAll(home, 0o700)
}

func needCmd(ts *testscript.TestScript, _ bool, programs []string) {
	for _, p := range programs {
		switch {
		case installed(p):
		case mustHaveAll():
			ts.Fatalf("%s is not installed, and in CI it must be: add its package to .ci/run", p)
		default:
			stateOf(ts).t.Skip(p + " is not installed")
		}
	}
}

func serveCmd(t *testing.T, ts *testscript.TestScript, args []string) {
	start := func() (*server, error) { return startServer(ts.Getenv("WORK"), args...) }
	if len(args) == 1 && args[0] == "configured" {
		start = func() (*server, error) { return startConfigured(ts.Getenv("WORK"), ts.ReadFile("shelfd.toml")) }
	}
	if stateOf(ts).inBucket {
		start = func() (*server, error) {
			s, g, err := startInBucket(ts.Getenv("WORK"), args...)
			if err == nil {
				ts.Defer(g.Stop)
			}
			return s, err
		}
	}
	s, err := start()
	ts.Check(err)
	ts.Defer(func() {
		if err := s.stop(); err != nil {
			t.Errorf("%s: %v", ts.Name(), err)
		}
	})
	stateOf(ts).server = s
	ts.Check(os.WriteFile(ts.MkAbs("announced"), []byte(s.stdout.String()), 0o644))
	host, port, err := net.SplitHostPort(s.addr)
	ts.Check(err)
	ts.Setenv("ADDR", s.addr)
	ts.Setenv("HOST", host)
	ts.Setenv("PORT", port)
	fingerprint, err := s.fingerprint()
	ts.Check(err)
	ts.Setenv("FINGERPRINT", fingerprint)
}

func randomCmd(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: random FILE SIZE")
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), content(uint64(size), size), 0o644))
}
