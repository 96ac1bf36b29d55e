package tests

import (
	"bytes"
	"strings"
	"testing"
)

// clientLibrary is something that people write clients with. Its code lists the root, a
// name a line, puts local as new.bin, replaces file with it, and gets file as back.
type clientLibrary struct {
	name string
	language
	code string
}

var libraries = []clientLibrary{
	{"paramiko", paramiko, paramikoSession + `
print("\n".join(s.listdir()))
s.put("local", "new.bin")
s.put("local", "file")
s.get("file", "back")`},

	{"asyncssh", asyncSSH, `
import asyncio, os
async def main():
    async with asyncssh.connect(os.environ["HOST"], int(os.environ["PORT"]), username=os.environ["ACCOUNT"],
            client_keys=[os.environ["ID"]], known_hosts=os.environ["KNOWN_HOSTS"]) as c:
        async with c.start_sftp_client() as s:
            print("\n".join(await s.listdir()))
            await s.put("local", "new.bin")
            await s.put("local", "file")
            await s.get("file", "back")
asyncio.run(main())`},

	{"fabric", fabric, `
import os
with fabric.Connection(os.environ["HOST"], os.environ["ACCOUNT"], int(os.environ["PORT"]),
        connect_kwargs={"key_filename": os.environ["ID"], "allow_agent": False, "look_for_keys": False}) as c:
    print("\n".join(c.sftp().listdir()))
    c.put("local", "new.bin")
    c.put("local", "file")
    c.get("file", os.getcwd() + "/back")`},

	{"php-ssh2", phpSSH2, `
$c = ssh2_connect(getenv("HOST"), (int)getenv("PORT"));
// In variables: it crashes on strings that nobody else holds.
$account = getenv("ACCOUNT"); $key = getenv("ID"); $public = "$key.pub";
ssh2_auth_pubkey_file($c, $account, $public, $key) or exit(1);
$s = ssh2_sftp($c);
$root = "ssh2.sftp://".intval($s);
$d = opendir("$root/.");
while (($name = readdir($d)) !== false) echo $name, "\n";
closedir($d);
copy("local", "$root/new.bin") or exit(2);
copy("local", "$root/file") or exit(3);
copy("$root/file", "back") or exit(4);`},

	{"phpseclib 3", phpseclib3, `
$s = new phpseclib3\Net\SFTP(getenv("HOST"), (int)getenv("PORT"));
$s->login(getenv("ACCOUNT"), phpseclib3\Crypt\PublicKeyLoader::load(file_get_contents(getenv("ID")))) or exit(1);
echo implode("\n", $s->nlist()), "\n";
$s->put("new.bin", "local", phpseclib3\Net\SFTP::SOURCE_LOCAL_FILE) or exit(2);
$s->put("file", "local", phpseclib3\Net\SFTP::SOURCE_LOCAL_FILE) or exit(3);
$s->get("file", "back") or exit(4);`},

	{"Net::SFTP::Foreign", netForeign, `
my $s = Net::SFTP::Foreign->new("shelf", more => ["-F", $ENV{CONFIG}]);
$s->die_on_error("connect");
print "$_->{filename}\n" for @{$s->ls("/")};
$s->put("local", "new.bin") or die $s->error;
$s->put("local", "file") or die $s->error;
$s->get("file", "back") or die $s->error;`},

	{"ssh2-sftp-client", nodeSSH2, `
(async () => {
  const s = new Sftp();
  await s.connect({host: process.env.HOST, port: process.env.PORT, username: process.env.ACCOUNT,
    privateKey: require("fs").readFileSync(process.env.ID)});
  for (const e of await s.list("/")) console.log(e.name);
  await s.put("local", "/new.bin");
  await s.fastPut("local", "/file");
  await s.fastGet("/file", "back");
  await s.end();
})();`},
}

// TestLibrariesCopy has each library do what everybody does.
func TestLibrariesCopy(t *testing.T) {
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.put(t, "file", []byte("old"))
			source := content(1, 300_000)
			out, err := s.snippet(t, l.language, source, l.code)
			if err != nil || !strings.Contains("\n"+out, "\nfile\n") {
				t.Fatalf("%v, it lists:\n%s", err, out)
			}
			for _, name := range []string{"new.bin", "file"} {
				if !bytes.Equal(s.get(t, name), source) {
					t.Errorf("%s is not what was put", name)
				}
			}
		})
	}
}
