# shellcheck shell=bash
# The environment of the loop in tests: a clock that only `pass` advances, in hundredths of a
# second, and a process that runs for a number of $answers to answer a probe, and for 0.01 s at the
# time $event. The event is found by probes that begin after it. Each takes $cost of the processor.
# shellcheck disable=SC2154,SC2034 # assigned by the caller; read by poll.sh
read -ra answers <<<"$answers"
clock=0
used=0
ran=0
has_happened=

# Lets so many hundredths of a second pass.
pass() {
    ((clock += $1))
    if [[ ! $has_happened ]] && ((clock >= event)); then
        has_happened=yes
        ((ran += 10000000))
    fi
    printf '%d.%02d 0\n' $((clock / 100)) $((clock % 100)) >uptime
    echo 0 0 0 0 0 0 0 0 0 0 0 0 0 "$used" 0 0 0 >stat
    echo "$ran" 0 0 >schedstat
}

__vm_sleep() {
    pass "$((10#${1/./}))"
}

probe() {
    __vm_output+="$clock "
    local finds=$has_happened answer=${answers[__vm_probes % ${#answers[@]}]}
    ((ran += answer * 10000000, used += cost))
    pass $((cost + answer))
    [[ $finds ]]
}

pass 0
