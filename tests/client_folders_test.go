package tests

import (
	"os"
	"strings"
	"testing"
)

// TestRootExists: clients that copy a folder make its target first, which is "/",
// "." or nothing. That it exists is no news to a person: nothing is said about it,
// and the client goes on.
func TestRootExists(t *testing.T) {
	t.Run("asyncssh", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		if out, err := s.snippet(t, asyncSSH, nil, `
import asyncio, os
async def main():
    async with asyncssh.connect(os.environ["HOST"], int(os.environ["PORT"]), username=os.environ["ACCOUNT"],
            client_keys=[os.environ["ID"]], known_hosts=os.environ["KNOWN_HOSTS"]) as c:
        async with c.start_sftp_client() as s:
            for name in "/", ".", "":
                await s.makedirs(name, exist_ok=True)
            for name in "/", ".", "":
                try:
                    await s.mkdir(name)
                except asyncssh.SFTPFailure as e:
                    print("exist" in str(e))
            try:
                await s.mkdir("folder")
            except asyncssh.SFTPError as e:
                print(e)
asyncio.run(main())`); err != nil || out != "True\nTrue\nTrue\nthe library has no folders\n" {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("Net::SFTP::Foreign", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		if out, err := s.snippet(t, netForeign, []byte("text"), `
my $s = Net::SFTP::Foreign->new("shelf", more => ["-F", $ENV{CONFIG}]);
$s->die_on_error("connect");
open(STDERR, ">&", \*STDOUT);
my $t = Net::SFTP::Foreign->new("shelf", more => ["-F", $ENV{CONFIG}]);
mkdir "folder"; rename "local", "folder/file";
$t->rput("folder", ".") == 1 or print "rput: ", $t->error, "\n";
$t->rput("folder", "/") == 1 or print "rput: ", $t->error, "\n";`); err != nil || strings.TrimSpace(out) != "" {
			t.Errorf("%v\n%s", err, out)
		}
		if string(s.get(t, "file")) != "text" {
			t.Error("the file did not arrive")
		}
	})
	t.Run("permissions", func(t *testing.T) {
		s := servePermitting(t, "reader")
		for _, name := range []string{"/", ".", ""} {
			if err := s.dial(t).Mkdir(name); err == nil || !strings.Contains(err.Error(), "exist") {
				t.Errorf("MKDIR %q: %v", name, err)
			}
		}
		if entries, err := os.ReadDir(s.library); err != nil || len(entries) > 1 {
			t.Errorf("%v, %v", entries, err)
		}
	})
}
