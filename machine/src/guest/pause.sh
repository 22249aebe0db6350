# shellcheck shell=bash
# Sleeps so many seconds without starting a process, if bash can. Before 5.2, `read -t` reads
# without end if the time is over before it begins to read. (`read -t 0` only looks.)
__vm_pause=
__vm_sleep() {
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 502)); then
        sleep "$1"
        return
    fi
    if [[ ! $__vm_pause ]]; then exec {__vm_pause}<> <(:); fi
    read -rt "$1" -u "$__vm_pause" || :
}
