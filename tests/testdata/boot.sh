# Boots the Debian that lies in the folder BASE. What it changes goes to the folder
# OVERLAY. This is process 1 of a PID namespace, with a mount and a network namespace.
#
#	sh boot.sh BASE OVERLAY
set -eu
test "$$" = 1
case ${3-} in
'') exec unshare --cgroup sh "$0" "$1" "$2" in-cgroup ;;
esac
base=$1 overlay=$2 root=$2/root
mount --make-rprivate /
mkdir -p "$overlay/upper" "$overlay/work" "$root"
mount -t overlay -o "lowerdir=$base,upperdir=$overlay/upper,workdir=$overlay/work" overlay "$root"
mount -t proc proc "$root/proc"
# Most of these settings are those of the machine outside, which systemd would change.
mount -o bind,ro "$root/proc/sys" "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/run/lock" "$root/run/outside" "$root/dev/pts" "$root/dev/shm"
for device in null zero full random urandom tty; do
	: > "$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
: > "$overlay/console"
: > "$root/dev/console"
mount --bind "$overlay/console" "$root/dev/console"

# After this the machine outside can't be reached. Without it, systemd would take
# that one for its own, and empty its /tmp.
cd "$root"
pivot_root . run/outside
cd /
umount -l /run/outside
test -e /shelf-test
exec env -i container=shelf PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target
