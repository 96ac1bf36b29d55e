"""What people write with paramiko, each step checked; started by TestParamiko."""

import errno
import os
import stat

import paramiko

client = paramiko.SSHClient()
client.load_host_keys(os.environ["KNOWN_HOSTS"])
client.connect(
    os.environ["HOST"], int(os.environ["PORT"]), os.environ["ACCOUNT"],
    key_filename=os.environ["ID"], allow_agent=False, look_for_keys=False,
)
sftp = client.open_sftp()
source = os.urandom(1_000_000)


def fails(code, what, *args):
    """what(*args) must be an OSError; one without an errno is a plain failure."""
    try:
        what(*args)
    except OSError as e:
        assert e.errno == code, (what, args, e)
        return str(e)
    raise AssertionError(f"{what} {args} succeeded")


def content(name):
    with sftp.open(name, "r") as f:
        return f.read()


# w, a, r, x (with w), r+, w+.
with sftp.open("file", "w") as f:
    f.write(source)
    f.flush()
    assert f.stat().st_size == len(source)
assert sftp.stat("file").st_size == len(source)  # at once after CLOSE
with sftp.open("file", "a") as f:
    f.write(b"end")
with sftp.open("file", "r") as f:
    f.prefetch()
    assert f.read() == source + b"end"
with sftp.open("file", "r") as f:
    pieces = [(999_990, 13), (5, 100_000), (900_000, 1), (0, 300_000)]
    for (off, size), got in zip(pieces, f.readv(pieces)):
        assert got == (source + b"end")[off:off + size], off
    f.seek(-3, f.SEEK_END)
    assert f.read() == b"end"
with sftp.open("new", "wx") as f:
    f.write(b"0123456789")
fails(None, sftp.open, "new", "wx")
assert content("new") == b"0123456789"
with sftp.open("new", "r+") as f:
    f.seek(3)
    f.write(b"XY")
    f.seek(0)
    assert f.read(6) == b"012XY5"
assert content("new") == b"012XY56789"
with sftp.open("new", "w+") as f:
    f.write(b"again")
    f.seek(1)
    assert f.read() == b"gain"
assert content("new") == b"again"
fails(errno.ENOENT, sftp.open, "nothing", "r+")
fails(errno.ENOENT, sftp.open, "nothing", "r")

# put (which stats after CLOSE) and get, and the same through file objects.
with open("local", "wb") as f:
    f.write(source)
assert sftp.put("local", "put").st_size == len(source)
sftp.get("put", "back")
assert open("back", "rb").read() == source
with open("local", "rb") as f:
    sftp.putfo(f, "putfo", file_size=len(source))
with open("back", "wb") as f:
    assert sftp.getfo("putfo", f) == len(source)
with sftp.open("pipelined", "w") as f:
    f.set_pipelined(True)
    for i in range(0, len(source), 10_000):
        f.write(source[i:i + 10_000])
assert content("pipelined") == source

# Attributes, by name and by handle, before CLOSE and after.
sftp.truncate("new", 3)
assert content("new") == b"aga"
sftp.truncate("new", 5)
assert content("new") == b"aga\0\0"
sftp.utime("new", (1_000_000_000, 1_100_000_000))
sftp.chmod("new", 0o640)
s = sftp.stat("new")
assert (s.st_mtime, stat.S_IMODE(s.st_mode), stat.S_ISREG(s.st_mode)) == (1_100_000_000, 0o640, True)
with sftp.open("new", "r+") as f:
    f.truncate(2)
    f.utime((1_000_000_000, 1_200_000_000))
    f.chmod(0o600)
    assert f.stat().st_size == 2
s = sftp.lstat("new")
assert (s.st_size, s.st_mtime, stat.S_IMODE(s.st_mode)) == (2, 1_200_000_000, 0o600)
fails(errno.EACCES, sftp.chown, "new", 0, 0)

# Lists.
names = {"file", "new", "put", "putfo", "pipelined"}
assert set(sftp.listdir()) == names
assert {a.filename: a.st_size for a in sftp.listdir_iter()}["new"] == 2
assert {a.filename for a in sftp.listdir_attr(".")} == names
fails(errno.ENOENT, sftp.listdir, "/etc")
sftp.chdir("/")
assert sftp.normalize("..") == "/"

# RENAME replaces nothing; posix_rename does.
fails(None, sftp.rename, "new", "put")
assert content("put") == source
sftp.posix_rename("new", "put")
assert content("put") == source[:0] + b"ag"
sftp.rename("put", "renamed")
fails(errno.ENOENT, sftp.stat, "put")
fails(errno.ENOENT, sftp.rename, "put", "x")

# Nothing but the files of the library.
for name in "/etc/passwd", "../../../etc/passwd", "//etc/passwd", "./x/../../etc/passwd", "link", "link/", "new\nline", ".hidden", "a\0b":
    fails(errno.ENOENT, sftp.open, name, "r")
    fails(errno.ENOENT, sftp.stat, name)
for name in "new\nline", ".hidden", "esc\x1b[2J", "n" * 256, "nul\0":
    fails(None, sftp.open, name, "w")
if "IN_BUCKET" not in os.environ: # where there are no links
    fails(None, sftp.open, "link", "w")
fails(errno.ENOENT, sftp.open, "sub/file", "w")
fails(None, sftp.mkdir, "folder")
fails(None, sftp.symlink, "/etc/passwd", "planted")
fails(None, sftp.readlink, "link")

# Deletion, by the account that may.
if os.environ["MAY_DELETE"] == "yes":
    sftp.remove("renamed")
    fails(errno.ENOENT, sftp.stat, "renamed")
    fails(errno.ENOENT, sftp.remove, "renamed")
    sftp.rename("file", "renamed")  # REMOVE then RENAME, as clients without posix-rename replace
    assert content("renamed") == source + b"end"
else:
    fails(errno.EACCES, sftp.remove, "renamed")
    assert content("renamed") == b"ag"
