# shellcheck shell=bash
# Prints those of $programs that are not installed.
# shellcheck disable=SC2154 # assigned by the caller
for program in "${programs[@]}"; do
    type -P "$program" >/dev/null || echo "$program"
done
