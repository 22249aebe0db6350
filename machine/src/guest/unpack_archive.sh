# shellcheck shell=bash
# Unpacks archive.tar in the directory $dir, and removes it.
# shellcheck disable=SC2154 # assigned by the caller
cd "$dir" || exit
tar -xf archive.tar
rm archive.tar
