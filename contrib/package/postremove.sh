#!/bin/sh
# After the package has gone. What it has written stays, unless Debian's purge asks
# for more; then the person says whether host keys and audit log go too. The
# files of libraries always stay.
set -e
case "${1-}" in
remove | 0)
	[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
	echo 'shelf: kept /etc/shelf, /var/lib/shelf (host keys), /var/log/shelf and /srv/shelf'
	;;
purge)
	rm -rf /etc/shelf/keys
	rmdir --ignore-fail-on-non-empty /etc/shelf 2> /dev/null || true
	all=false
	if [ -e /usr/share/debconf/confmodule ]; then
		. /usr/share/debconf/confmodule
		db_version 2.0
		db_input high shelf/purge || true
		db_go || true
		db_get shelf/purge && all=$RET
		db_purge
		db_stop || true
	fi
	if [ "$all" = true ]; then
		rm -rf /var/lib/shelf /var/log/shelf /var/lib/shelf-deliver /var/lib/private/shelf-deliver
		userdel shelf 2> /dev/null || true
	else
		echo 'shelf: kept /var/lib/shelf (host keys) and /var/log/shelf' >&2
	fi
	[ ! -d /srv/shelf ] || echo 'shelf: kept the files of the libraries in /srv/shelf' >&2
	;;
esac
