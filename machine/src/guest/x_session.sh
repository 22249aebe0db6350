# shellcheck shell=bash
# Fails with 10 if no user has a graphical session, with 11 if the X server has no socket.
# A user's manager logs the target; grep reads all of it, since journalctl must not fail at
# a closed pipe.
journalctl -b SYSLOG_IDENTIFIER=systemd --no-pager |
    grep 'Reached target.*Current graphical' >/dev/null || exit 10
[ -e /tmp/.X11-unix/X0 ] || exit 11
