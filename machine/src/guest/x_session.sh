# shellcheck shell=bash
# Defines `probe`, which succeeds if a user has a graphical session and the X server has a
# socket. A user's service manager logs that it has reached the target.
# shellcheck disable=SC2034 # read by poll.sh
exec {journal}< <(
    exec journalctl -b -f --no-tail -o cat -g 'Reached target.*Current graphical' \
        SYSLOG_IDENTIFIER=systemd 2>/dev/null
)
follower=$!
trap 'kill "$follower" 2>/dev/null' EXIT
session=
probe() {
    if read -t 0 -u "$journal" && read -r -u "$journal"; then session=1; fi
    __vm_status=10
    if [[ ! $session ]]; then return 1; fi
    __vm_status=11
    [[ -e /tmp/.X11-unix/X0 ]]
}
