# shellcheck shell=bash
# Runs the command "$@" with its standard streams at the virtio ports of their names. Then the
# text $end is sent at both ports to the host.

# Prints the device of a port, which appears soon after its driver is loaded.
port() {
    local file name tries
    for ((tries = 0; tries < 300; tries++)); do
        for file in /sys/class/virtio-ports/*/name; do
            if read -r name <"$file" && [[ $name == "org.vmwright.$1" ]]; then
                file=${file%/name}
                if [[ -c /dev/${file##*/} ]]; then
                    echo "/dev/${file##*/}"
                    return
                fi
            fi
        done
        sleep 0.1
    done
}

# Copies as soon as something arrives.
pump() {
    dd bs=32768 2>/dev/null
}

# Sends all input, then the end.
send() {
    pump
    # shellcheck disable=SC2059,SC2154 # a format, set before
    printf "$end"
}

# Prints the reason why the command can't be run.
fail() {
    echo "$1"
    exit 125
}

type -P dd >/dev/null || fail "the guest has no \`dd\`"
exec 7<>"$(port stdin)" 8>"$(port stdout)" 9>"$(port stderr)" ||
    fail "the guest has no virtio ports for its standard streams"
# Until a port is open, its input is lost. The write waits for the host's end to be connected,
# and the host waits for it.
echo >&7
# The ports can't be opened again, as by a write to /dev/stderr: the command has pipes.
exec 5< <(pump <&7)
{
    run "$@" <&5 2>&1 >&6 5<&- 6>&- 7>&- 8>&- 9>&- | send >&9 6>&-
    exit "${PIPESTATUS[0]}"
} 6>&1 | send >&8
status=${PIPESTATUS[0]}
# Not printed if all of this was killed: then no end was sent.
echo ended
exit "$status"
