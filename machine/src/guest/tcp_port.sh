# shellcheck shell=bash
# Defines the functions of waits for TCP port $port. ${addresses[@]} are the host's
# addresses, or $name is its name, which the guest resolves.
# shellcheck disable=SC2154,SC2034 # assigned by the caller, used by poll.sh
LC_ALL=C

# The address as /proc/net/tcp and tcp6 have it: words of 32 bits, the lowest byte first.
# Sets `hex`, and `flat`, the address as in /proc/net/if_inet6.
to_hex() {
    local address=${1%%%*} groups zeros='' group
    hex='' flat=''
    if [[ $address != *:* ]]; then
        IFS=. read -ra groups <<<"$address"
        printf -v hex %02X "${groups[3]}" "${groups[2]}" "${groups[1]}" "${groups[0]}"
        return
    fi
    # `::` stands for as many groups of zeros as are missing.
    local colons=${address//[!:]/}
    for ((group = ${#colons}; group < 8; group++)); do zeros+=:0; done
    IFS=: read -ra groups <<<"${address/::/$zeros:}"
    for ((group = 0; group < 8; group += 2)); do
        local high=$((16#${groups[group]:-0})) low=$((16#${groups[group + 1]:-0}))
        printf -v zeros %02X $((low & 255)) $((low >> 8)) $((high & 255)) $((high >> 8))
        hex+=$zeros
        printf -v zeros %04x "$high" "$low"
        flat+=$zeros
    done
}

# Whether the address is one of the guest's.
is_own() {
    local known
    if [[ $flat ]]; then
        IFS= read -rd '' known </proc/net/if_inet6 || :
        [[ $'\n'$known == *$'\n'"$flat "* ]]
    else
        IFS= read -rd '' known </proc/net/fib_trie || :
        [[ $1 == 127.* || $known == *"-- $1"$'\n'+( )'/32 host LOCAL'* ]]
    fi
} 2>/dev/null

# Sets `addresses`, and for those of the guest `patterns`: which local addresses of a
# socket accept connections to it. A socket at `::` may accept IPv6 only.
declare -A patterns
resolve() {
    local address hex flat mapped=0000000000000000FFFF0000
    is_resolved=1
    if [[ $name ]] && ! type -P getent >/dev/null; then
        addresses=("$name") # resolved by bash
        return
    fi
    if [[ $name ]]; then
        while read -r address _; do
            [[ " ${addresses[*]} " == *" $address "* ]] || addresses+=("$address")
        done < <(getent ahosts "$name")
    fi
    for address in "${addresses[@]}"; do
        to_hex "$address"
        if ! is_own "$address"; then
            continue
        elif [[ $flat ]]; then
            patterns[$address]="@($hex|00000000000000000000000000000000)"
        else
            patterns[$address]="@($hex|00000000|$mapped$hex|${mapped}00000000)"
        fi
    done
    [[ ${addresses[*]} ]] || fail_to_resolve
}
fail_to_resolve() { is_resolved='' __vm_output="the guest can't resolve the name $name"; }

# Whether a socket of the guest listens at the address: known without connecting, since a
# server may accept one connection only.
listens() {
    local table sockets hex_port entry
    [[ ${patterns[$1]-} ]] || return
    printf -v hex_port %04X "$port"
    entry=" ${patterns[$1]}:$hex_port +(0):0000 0A " # a pattern
    for table in /proc/net/tcp /proc/net/tcp6; do
        IFS= read -rd '' sockets <"$table" || :
        # shellcheck disable=SC2053
        [[ $sockets != *$entry* ]] || return 0
    done 2>/dev/null
    return 1
}

# Whether there is an answer to read before the time `end`.
has_answered() {
    until read -t 0 -u "$1"; do
        ((__vm_now < end)) || return
        __vm_sleep 0.01
        __vm_now
    done
}

# Whether one of the addresses accepts a connection, or is known to. Where packets are
# dropped nothing answers, and the kernel tries for two minutes: two seconds are enough.
connects() {
    local address fd fds=() pids=() answer end open=''
    for address in "$@"; do
        exec {fd}< <(
            exec 2>&1
            if is_known_open "$address" || exec 3<>"/dev/tcp/$address/$port"; then
                echo open
            fi
        )
        fds+=("$fd") pids+=($!)
    done
    __vm_now
    end=$((__vm_now + 200))
    for fd in "${fds[@]}"; do
        answer='nothing answers within two seconds'
        if has_answered "$fd"; then read -r -u "$fd" answer; fi
        if [[ $answer == open ]]; then
            open=1
        elif [[ $name && $answer == *": $name: "* ]]; then
            fail_to_resolve
        else
            __vm_output=${answer##*: } # of bash: line 1: connect: Connection refused
        fi
    done
    kill "${pids[@]}" 2>/dev/null || :
    for fd in "${fds[@]}"; do exec {fd}<&-; done
    [[ $open ]]
}

# Whether the guest has rules for packets, or IPVS, which is no such rule. Without, the ports
# of its addresses that are listened on are open, and no others.
filters_packets() {
    local names
    if [[ -e /proc/net/ip_vs ]]; then return; fi
    for names in /proc/net/ip_tables_names /proc/net/ip6_tables_names; do
        ! read -r _ <"$names" || return 0
    done 2>/dev/null
    has_nf_tables && [[ $(nft list ruleset 2>/dev/null || iptables-save 2>/dev/null) ]]
}

# Whether the kernel has loaded nf_tables, or contains it, as far as is known. Otherwise it has no
# rules, and listing them would load it, which takes long.
has_nf_tables() {
    local modules release dir
    IFS= read -rd '' modules </proc/modules || :
    if [[ $'\n'$modules == *$'\n''nf_tables '* ]]; then return; fi
    read -r release </proc/sys/kernel/osrelease
    for dir in /lib/modules /run/booted-system/kernel-modules/lib/modules; do
        [[ ! $builtin_modules ]] || break
        IFS= read -rd '' builtin_modules <"$dir/$release/modules.builtin" || :
    done
    [[ ! $builtin_modules || $builtin_modules == */nf_tables.ko* ]]
} 2>/dev/null
builtin_modules=

# Whether it is time to try connections because there are rules for packets: once a second. Rules
# that were found are not looked for again.
has_filters_now() {
    ((nth == 0)) || return
    if [[ ! $has_filters ]] && filters_packets; then has_filters=1; fi
    [[ $has_filters ]]
}
has_filters=

resolve

# A name that is not known yet is resolved again once a second, or by bash for each connection.
resolve_again() {
    if [[ ${addresses[*]} ]]; then
        is_resolved=1
    elif ((nth == 0)); then
        resolve
    fi
}
