# shellcheck shell=bash
# Defines `probe`, which succeeds after $wake_up, in hundredths of a second of uptime.
# shellcheck disable=SC2154 # assigned by the caller
probe() {
    local now
    read -r now _ </proc/uptime
    ((10#${now/./} >= wake_up))
}
