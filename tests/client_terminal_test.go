package tests

import (
	"os/exec"
	"strings"
	"testing"
)

// Who asks for a terminal has to learn that this is a file service. When the
// terminal was refused, clients gave up before the sentence was said. A terminal
// has one stream: with one, fabric does not read what arrives as stderr.

const fileService = "This is a file service"

func TestTerminalsAreTold(t *testing.T) {
	need(t, "ssh")
	s := serve(t)
	for _, args := range [][]string{{"-t", "shelf"}, {"-tt", "shelf"}, {"-tt", "shelf", "ls"}, {"-t", "shelf", "ls"}} {
		out, err := exec.Command("ssh", append([]string{"-F", s.config}, args...)...).CombinedOutput()
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() == 255 || exit.ExitCode() == 0 {
			t.Errorf("ssh %q: %v", args, err)
		}
		if !strings.Contains(string(out), fileService) || strings.Contains(string(out), "PTY") {
			t.Errorf("ssh %q shows:\n%s", args, out)
		}
	}
}

// TestLibrariesWithTerminalsAreTold: each prints what arrives on stdout and stderr.
func TestLibrariesWithTerminalsAreTold(t *testing.T) {
	for _, l := range []clientLibrary{
		{"asyncssh", asyncSSH, `
import asyncio, os
async def main():
    async with asyncssh.connect(os.environ["HOST"], int(os.environ["PORT"]), username=os.environ["ACCOUNT"],
            client_keys=[os.environ["ID"]], known_hosts=os.environ["KNOWN_HOSTS"]) as c:
        r = await c.run("ls", term_type="xterm")
        print(r.stdout, r.stderr)
asyncio.run(main())`},
		{"fabric", fabric, `
import os
c = fabric.Connection(os.environ["HOST"], os.environ["ACCOUNT"], int(os.environ["PORT"]),
    connect_kwargs={"key_filename": os.environ["ID"], "allow_agent": False, "look_for_keys": False})
r = c.run("ls", pty=True, warn=True, hide=True, in_stream=False)
print(r.stdout, r.stderr)`},
		{"node ssh2", nodeSSH2, `
const c = new ssh2.Client();
c.on("ready", () => c.shell((err, stream) => {
  if (err) throw err;
  stream.on("data", (d) => process.stdout.write(d));
  stream.stderr.on("data", (d) => process.stdout.write(d));
  stream.on("close", () => c.end());
})).connect({host: process.env.HOST, port: process.env.PORT, username: process.env.ACCOUNT,
  privateKey: require("fs").readFileSync(process.env.ID)});`},
	} {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			out, err := s.snippet(t, l.language, nil, l.code)
			if err != nil || !strings.Contains(out, fileService) {
				t.Errorf("%v, it shows:\n%s", err, out)
			}
		})
	}
}
