# shellcheck shell=bash
# Defines `probe`, which runs $__vm_command as a command of a test is run, and succeeds at
# its $__vm_wanted: `success` or `failure`.
# shellcheck disable=SC2154,SC2034 # assigned by the caller; read by poll.sh
probe() {
    __vm_output=$(
        if [[ $__vm_pause ]]; then exec {__vm_pause}>&-; fi
        (
            unset -f probe
            set -euo pipefail
            eval "$__vm_command"
        )
        __vm_status=$?
        printf . # keeps the newlines before it
        exit "$__vm_status"
    )
    __vm_status=$?
    __vm_output=${__vm_output%.}
    if [[ $__vm_wanted == failure ]]; then ((__vm_status)); else ((__vm_status == 0)); fi
}
