# shellcheck shell=bash
# Prints what `list_windows` sets, and fails as it does.
# shellcheck disable=SC2154 # assigned by the caller
list_windows || status=$?
printf '%s\n' "$windows"
exit "${status-0}"
