# shellcheck shell=bash
# A port that is listened on is closed if the guest's rules for packets drop connections,
# which is tried once a second.
# shellcheck disable=SC2154,SC2034 # assigned by the caller, used by poll.sh
is_known_open() { false; }
probe() {
    local address others=()
    resolve_again
    [[ ! $is_resolved ]] || __vm_output=
    for address in "${addresses[@]}"; do
        if listens "$address"; then
            has_filters_now || return
        fi
        others+=("$address")
    done
    ! connects "${others[@]}" && [[ $is_resolved ]]
}
