# shellcheck shell=bash
# Prints the windows that have a name, or why they can't be listed.
# shellcheck disable=SC2154 # assigned by the caller
list_windows || :
grep -v '(has no name)' <<<"$windows"
