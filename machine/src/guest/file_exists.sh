# shellcheck shell=bash
# Whether $path exists, or what the shell makes of $word if it is set. A subshell because
# the word may be no shell syntax.
# shellcheck disable=SC2154 # assigned by the caller
probe() {
    [[ -e $path ]] || { [[ $word ]] && expanded_exists; }
}
expanded_exists() (
    set -u
    eval "for file in $word; do if [[ -e \$file ]]; then exit; fi; done" 2>/dev/null
    exit 1
)
