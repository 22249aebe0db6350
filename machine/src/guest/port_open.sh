# shellcheck shell=bash
# The guest's own port is also connected to, once a second: rules for packets may lead
# elsewhere.
# shellcheck disable=SC2154 # assigned by the caller
is_known_open() { listens "$1"; } # since the probe began
probe() {
    local address others=()
    resolve_again
    for address in "${addresses[@]}"; do
        if listens "$address"; then return; fi
        if [[ ! ${patterns[$address]-} ]] || ((nth == 0)); then others+=("$address"); fi
    done
    ((${#others[@]})) && connects "${others[@]}"
}
