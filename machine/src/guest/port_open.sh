# shellcheck shell=bash
# The guest's own port is also connected to, once a second, if rules for packets may lead
# elsewhere.
# shellcheck disable=SC2154 # assigned by the caller
is_known_open() { listens "$1"; } # since the probe began
probe() {
    local address own=() others=()
    resolve_again
    for address in "${addresses[@]}"; do
        if listens "$address"; then return; fi
        if [[ ${patterns[$address]-} ]]; then own+=("$address"); else others+=("$address"); fi
    done
    if ((${#own[@]})) && has_filters_now; then others+=("${own[@]}"); fi
    ((${#others[@]})) && connects "${others[@]}"
}
