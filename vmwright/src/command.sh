# shellcheck shell=bash
# Becomes the command "$@", with the variables that `set_environment` sets, in the directory
# $directory, if it is set.
# shellcheck disable=SC2154 # the variables are set before
run() {
    # With the host's root, a file system in memory hides the host's directory.
    [[ ! $needs_tmp ]] || umount /tmp
    if [[ $directory ]] && ! cd -- "$directory" 2>/dev/null; then
        echo "vmwright: the guest has no directory $directory" >&2
        exit 125
    fi
    set_environment
    if [[ ! -e $1 ]] && ! type -P -- "$1" >/dev/null; then
        echo "vmwright: $1: command not found in the guest" >&2
        exit 127
    fi
    exec -- "$@"
}
