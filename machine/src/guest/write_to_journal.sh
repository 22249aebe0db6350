# shellcheck shell=bash
# Writes $text to the journal.
# shellcheck disable=SC2154 # assigned by the caller
printf %s "$text" | systemd-cat
