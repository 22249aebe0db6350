# shellcheck shell=bash
# The fields of /proc/net/unix (proc(5)): the flags of a socket that accepts connections,
# and the type of a datagram socket.
# shellcheck disable=SC2154 # assigned by the caller
probe() {
    local flags type bound
    while read -r _ _ _ flags type _ _ bound; do
        if [[ $kind == datagram ]]; then
            [[ $type == 0002 ]] || continue
        else
            [[ $type != 0002 && $flags == 00010000 ]] || continue
        fi
        if [[ $bound == "$path" || $bound -ef $path ]]; then return; fi
    done </proc/net/unix
    return 1
}
