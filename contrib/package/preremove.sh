#!/bin/sh
# Before the package goes, and not before an upgrade: dpkg says "remove", rpm how many
# will be left, apk nothing but the version.
set -e
case "${1-}" in
upgrade | deconfigure | failed-upgrade | 1) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl --quiet disable --now shelfd-deliver.service shelfd.service shelfd.socket || true
	systemctl list-unit-files --state=enabled --no-legend 'shelfd@*.service' | while read -r unit _; do
		systemctl --quiet disable "$unit" || true
	done
	# Their transfers have 10 s, and not the hours of an upgrade: then a second signal.
	systemctl stop --no-block 'shelfd@*.service' shelfd-listening.service || true
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -n "$(systemctl list-units --plain --no-legend --state=active,deactivating 'shelfd@*.service')" ] || break
		sleep 1
	done
	systemctl kill 'shelfd@*.service' 2> /dev/null || true
elif command -v rc-service > /dev/null; then
	rc-service --ifstarted shelfd stop || true
	rc-update --quiet delete shelfd || true
fi
