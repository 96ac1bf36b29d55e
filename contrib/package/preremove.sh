#!/bin/sh
# Before the package goes, and not before an upgrade: dpkg says "remove", rpm how many
# will be left, apk nothing but the version.
set -e
case "${1-}" in
upgrade | deconfigure | failed-upgrade | 1) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl --quiet disable --now shelfd.service || true
elif command -v rc-service > /dev/null; then
	rc-service --ifstarted shelfd stop || true
	rc-update --quiet delete shelfd || true
fi
