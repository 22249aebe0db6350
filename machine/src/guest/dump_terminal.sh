# shellcheck shell=bash
# Defines `dump_terminal`, which prints the virtual terminal $number: the rows and columns as
# a byte each (vcs(4)), `u` or `b` for the kind of cells, and the cells.
# shellcheck disable=SC2154 # assigned by the caller
dump_terminal() {
    local LC_ALL=C size
    read -r -N 2 size <"/dev/vcsa$number" || return
    if head -c 4 "/dev/vcsu$number" &>/dev/null; then
        printf %su "$size"
        cat "/dev/vcsu$number"
    else
        printf %sb "$size"
        cat "/dev/vcs$number"
    fi
} 2>&1
