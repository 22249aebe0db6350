# shellcheck shell=bash
# Prints the virtual terminal $number: the rows and columns as a byte each (vcs(4)), `u` or
# `b` for the kind of cells, and the cells.
# shellcheck disable=SC2154 # assigned by the caller
exec 2>&1
head -c 2 "/dev/vcsa$number"
if head -c 4 "/dev/vcsu$number" &>/dev/null; then
    printf u
    cat "/dev/vcsu$number"
else
    printf b
    cat "/dev/vcs$number"
fi
