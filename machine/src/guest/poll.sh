# shellcheck shell=bash
# Calls `probe` until it succeeds, or for $__vm_turn hundredths of a second. Then prints
# $__vm_output, which `probe` may set, and a line of numbers: the processor time taken in
# hundredths of a second, the number of probes, the status of the last one, and
# $__vm_status, which `probe` may set.
#
# The loop takes a seventh of a processor at most, and with what the kernel does for it (timers,
# the ends of processes) less than a fifth. $__vm_hint may be the file of scheduling statistics
# of a process that answers the probes, and runs whenever one might find something else. What
# this process takes for a probe is counted, too.
#
# A probe follows at once when the file changes, and once more when the process ran over a fifth
# longer for a probe than for the cheapest one: it did something else, too, maybe after its answer.
# For these, an eighth of the loop's time may be used in advance. Otherwise the next probe comes
# after ten times the cost of the last one, and later ones after twenty times. What happens during
# the first probe, and costs little beside an answer, is found by these.
#
# $nth is the number of the probe within the present second, from 0. The other names have a
# prefix because `probe` may run a command of a test.
# shellcheck disable=SC2154 # some variables are assigned by the caller
set +euo pipefail
__vm_output=${__vm_output-}
__vm_status=0
__vm_probes=0
__vm_second=
__vm_served=0
__vm_least_ran=0
__vm_is_second_look=

__vm_now() {
    read -r __vm_now _ </proc/uptime
    __vm_now=$((10#${__vm_now/./}))
}

# The processor time of this shell and of the processes that it has waited for (proc(5)), and of
# the process that answers.
__vm_used() {
    local stat
    read -r -a stat </proc/self/stat
    __vm_used=$((stat[13] + stat[14] + stat[15] + stat[16] + __vm_served / 10000000))
}

__vm_read_hint() {
    __vm_hint_now=
    [[ ${__vm_hint-} ]] && read -r __vm_hint_now <"$__vm_hint"
} 2>/dev/null

# Counts what the process has run for a probe, in nanoseconds (sched-stats.rst). Fails if that is
# over a fifth more than for the cheapest probe.
__vm_count_served() {
    [[ $__vm_hint_before && $__vm_hint_now && $__vm_hint_before$__vm_hint_now != *[!0-9\ ]* ]] ||
        return 0
    local ran=$((${__vm_hint_now%% *} - ${__vm_hint_before%% *}))
    ((__vm_served += ran))
    if ((!__vm_least_ran || ran < __vm_least_ran)); then __vm_least_ran=$ran; fi
    ((5 * ran <= 6 * __vm_least_ran))
}

# Sleeps until the next probe may be due, or is due if no file shows that.
__vm_rest() {
    local took=$((__vm_now - __vm_begin)) rest=0 left
    if [[ ! $__vm_hint_before ]]; then
        left=$((__vm_turn - took)) rest=$((7 * __vm_used - took))
        if ((rest > left)); then rest=$left; fi
    fi
    if ((rest < 5)); then rest=5; fi
    printf -v rest %d.%02d $((rest / 100)) $((rest % 100))
    __vm_sleep "$rest"
    __vm_now
}

# Whether it is time for the next probe.
__vm_is_due() {
    local took=$((__vm_now - __vm_begin))
    if [[ ! $__vm_hint_before ]]; then
        return
    elif ! __vm_read_hint; then
        __vm_hint_before= # the process has ended
        return 1
    elif ((took + __vm_turn / 8 < 8 * __vm_used)); then
        return 1
    elif [[ $__vm_hint_now != "$__vm_hint_before" ]]; then
        __vm_calm=10
    else
        ((__vm_now - __vm_last >= __vm_calm * __vm_cost)) && __vm_calm=20
    fi
}

__vm_now
__vm_begin=$__vm_now
__vm_last=$__vm_now
__vm_used
__vm_calm=10
while :; do
    if ((__vm_now / 100 == __vm_second)); then ((++nth)); else nth=0; fi
    __vm_second=$((__vm_now / 100))
    __vm_cost=-$__vm_used
    __vm_read_hint
    __vm_hint_before=$__vm_hint_now
    probe # not in a condition, where `set -e` would have no effect in it
    __vm_found=$?
    ((++__vm_probes))
    if ((__vm_found == 0)); then break; fi
    # What the probe itself changes comes first.
    if [[ $__vm_hint_before ]]; then __vm_sleep 0.02; fi
    __vm_now
    __vm_last=$__vm_now
    __vm_read_hint
    if __vm_count_served || [[ $__vm_is_second_look ]]; then
        __vm_hint_before=$__vm_hint_now
        __vm_is_second_look=
    else
        __vm_hint_before=unknown
        __vm_is_second_look=1
    fi
    __vm_used
    ((__vm_cost += __vm_used))
    while
        __vm_rest
        if ((__vm_now - __vm_begin >= __vm_turn)); then break 2; fi
        ! __vm_is_due
    do :; done
done
__vm_used
printf '%s\n%d %d %d %d' "$__vm_output" "$__vm_used" "$__vm_probes" "$__vm_found" "$__vm_status"
