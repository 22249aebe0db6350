# shellcheck shell=bash
# Runs $show_status, a command, after the journal has what units have just printed.
# shellcheck disable=SC2154 # assigned by the caller
journalctl --sync &>/dev/null || :
eval "$show_status"
