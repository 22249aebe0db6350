# shellcheck shell=bash
# Defines `probe`, which sleeps until $wake_up, in hundredths of a second of uptime, or until
# the end of the turn.
# shellcheck disable=SC2154 # assigned by the caller
probe() {
    local left
    __vm_now
    left=$((wake_up - __vm_now))
    if ((left <= 0)); then return; fi
    if ((left > __vm_turn)); then left=$__vm_turn; fi
    __vm_sleep "$((left / 100)).$(printf %02d $((left % 100)))"
    __vm_now
    ((wake_up <= __vm_now))
}
