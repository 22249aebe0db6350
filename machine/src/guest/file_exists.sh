# shellcheck shell=bash
# shellcheck disable=SC2154 # assigned by the caller
probe() { [[ -e $path ]]; }
