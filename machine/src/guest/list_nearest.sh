# shellcheck shell=bash
# Lists the nearest existing parent directory of $path.
# shellcheck disable=SC2012 # for people to read
[[ $path == /* ]] || path=$PWD/$path
until path=${path%/*}; [[ -d ${path:=/} ]]; do :; done
printf '%s:\n' "$path"
ls -lA -- "$path/" 2>&1 | head -n 40
