# shellcheck shell=bash
# Starts the Perl program $agent with the token $token on the virtio port $port_name, and
# prints `started` if it did.
# shellcheck disable=SC2154 # assigned by the caller
if [[ $HOSTTYPE != x86_64 ]] || ! perl=$(type -P perl); then exit 0; fi
for port in /sys/class/virtio-ports/*; do
    if { read -r name <"$port/name"; } 2>/dev/null && [[ $name == "$port_name" ]]; then
        "$perl" -e "$agent" "/dev/${port##*/}" "$token" </dev/null >/dev/null 2>&1 &
        echo started
    fi
done
