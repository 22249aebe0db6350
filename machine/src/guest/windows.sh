# shellcheck shell=bash
# Defines `probe`, which lists the windows by `list_windows` and succeeds if the list is not
# $last_seen. The list changes only when the X server runs, which shows in its scheduling
# statistics.
# shellcheck disable=SC2154,SC2034 # assigned by the caller; read by poll.sh
if read -r server </tmp/.X0-lock; then __vm_hint=/proc/$server/schedstat; fi 2>/dev/null
probe() {
    list_windows
    __vm_status=$?
    __vm_output=$windows
    [[ $__vm_output != "$last_seen" ]]
}
