# shellcheck shell=bash
# Defines `probe`, which reads the characters of virtual terminal $number without starting a
# process. It succeeds if they are not $last_seen, and prints them, as a line in the same form, and
# the terminal by `dump_terminal`.
# shellcheck disable=SC2154,SC2034 # assigned by the caller; read by poll.sh
probe() {
    local cells now
    __vm_output=
    # The kernel creates the latter last.
    if [[ ! -e /dev/vcs$number || ! -e /dev/vcsa$number ]]; then
        __vm_output="/dev/vcs$number: No such file or directory"
        return 1
    fi
    mapfile -d '' -t cells <"/dev/vcs$number"
    now=${cells[*]}
    now=${now@Q}
    if [[ $now == "$last_seen" ]]; then return 1; fi
    printf '%s\n' "$now"
    dump_terminal
}
