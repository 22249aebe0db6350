# shellcheck shell=bash
# Prints the uptime after $duration; both are in hundredths of a second.
# shellcheck disable=SC2154 # assigned by the caller
read -r now _ </proc/uptime
echo $((10#${now/./} + duration))
