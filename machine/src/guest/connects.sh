# shellcheck shell=bash
# Defines `connects`, which succeeds if TCP port $port of one of ${hosts[@]} accepts a
# connection. Where packets are dropped nothing says that the port is closed, and the
# kernel tries for two minutes: ten seconds are enough.
# shellcheck disable=SC2154 # assigned by the caller
connects_to() {
    local open
    exec {tried}< <(exec 2>/dev/null; exec 3<>"/dev/tcp/$1/$port" && echo)
    if read -rt 10 -u "$tried"; then open=1; else open=; fi
    kill $! 2>/dev/null || :
    exec {tried}<&-
    [[ $open ]]
}
connects() {
    local host
    for host in "${hosts[@]}"; do
        if connects_to "$host"; then return; fi
    done
    return 1
}
