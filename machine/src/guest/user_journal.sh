# shellcheck shell=bash
# Prints the last journal lines of a user's unit, which the user may not read.
# Input: $user, and $show_id, a command that prints the unit's id.
# shellcheck disable=SC2154 # assigned by the caller
exec 2>&1
journalctl --sync &>/dev/null || :
uid=$(id -u -- "$user")
id=$(eval "$show_id")
journalctl --no-pager --lines=15 "_UID=$uid" "_SYSTEMD_USER_UNIT=$id" \
    + "_UID=$uid" "USER_UNIT=$id"
