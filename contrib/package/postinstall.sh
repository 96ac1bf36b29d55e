#!/bin/sh
# After an install or an upgrade. dpkg calls this with "configure" and the version
# that was there before, rpm with how many there are now, apk with the new version
# and the one before.
set -e

upgraded=
case "${1-}" in
configure) [ -z "${2-}" ] || upgraded=yes ;;
abort-*) exit 0 ;;
1) ;;
2) upgraded=yes ;;
*) [ -z "${2-}" ] || upgraded=yes ;;
esac

if ! id shelf > /dev/null 2>&1; then
	if command -v systemd-sysusers > /dev/null; then
		systemd-sysusers shelf.conf
	elif command -v useradd > /dev/null; then
		useradd --system --user-group --home-dir /var/lib/shelf --no-create-home --shell /usr/sbin/nologin shelf
	else
		addgroup -S shelf
		adduser -S -D -H -h /var/lib/shelf -s /sbin/nologin -G shelf -g 'Shelf file server' shelf
	fi
fi

# Who may read the configuration and the keys: root, who writes them, and the server.
chown root:shelf /etc/shelf /etc/shelf/shelfd.toml
chmod 0750 /etc/shelf
chmod 0640 /etc/shelf/shelfd.toml
folder() { # mode owner path; one that is there is left as it is
	[ -d "$3" ] || install -d -m "$1" -o "${2%:*}" -g "${2#*:}" "$3"
}
folder 0750 root:shelf /etc/shelf/keys
folder 0700 shelf:shelf /var/lib/shelf
folder 0750 shelf:shelf /var/log/shelf
folder 0755 root:root /srv/shelf
folder 0750 shelf:shelf /srv/shelf/default

if [ -z "$upgraded" ]; then
	echo 'shelf: to set up the server, run: shelfd init'
elif [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart shelfd-deliver.service || echo 'shelf: shelfd-deliver did not start: systemctl status shelfd-deliver' >&2
	if systemctl is-active --quiet shelfd.service; then
		grace=$(sed -n 's/^ *grace *= *//p' /etc/shelf/shelfd.toml)
		echo "shelf: restarting shelfd. Transfers under way have ${grace:-10s} (grace) to end; uploads that are cut can be resumed."
		systemctl restart shelfd.service || echo 'shelf: shelfd did not start: systemctl status shelfd' >&2
	elif systemctl is-active --quiet 'shelfd@*.service'; then
		echo 'shelf: a new instance of shelfd@ follows the old one, which ends after its transfers'
		shelfd upgrade --config /etc/shelf/shelfd.toml --state /var/lib/shelf || echo 'shelf: the old version goes on; "shelfd upgrade" tries again' >&2
	fi
elif command -v rc-service > /dev/null; then
	rc-service --ifstarted shelfd restart || true
fi
