# shellcheck shell=bash
# Prints the uptime after $seconds, in hundredths of a second.
# shellcheck disable=SC2154 # assigned by the caller
read -r now _ </proc/uptime
seconds=$(printf '%.2f' "$seconds")
echo $((10#${now/./} + 10#${seconds/[.,]/}))
