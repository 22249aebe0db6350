# shellcheck shell=bash
# Checks whether the Unix socket at $path is open by connecting to it: its name in
# /proc/net/unix may be relative or outdated, and the table lacks sockets of other network
# namespaces. Bash itself can't connect to Unix sockets.
# shellcheck disable=SC2154,SC2034 # assigned by the caller, used by poll.sh
dir=.
[[ $path != */* ]] || dir=${path%/*}/

# Connects to a path without slashes. The numbers are those of <bits/socket_type.h>.
if [[ $kind == datagram ]]; then types=(2); else types=(1 5); fi
if type -P perl >/dev/null; then
    connects() {
        exec perl -e '
            alarm 1;
            my $path = shift;
            for (@ARGV) { socket(S, 1, $_, 0) and connect(S, pack("Sa*x", 1, $path)) and exit }
            exit 1' "$1" "${types[@]}"
    }
elif type -P python3 >/dev/null; then
    connects() {
        exec python3 -SEc '
import socket, sys
for type in sys.argv[2:]:
    try:
        s = socket.socket(socket.AF_UNIX, int(type))
        s.settimeout(1)
        sys.exit(s.connect(sys.argv[1]))
    except OSError:
        pass
sys.exit(1)' "$1" "${types[@]}"
    }
elif [[ $(nc -h 2>&1) == *-U* ]]; then
    if [[ $kind == datagram ]]; then options=-zuU; else options=-zU; fi
    connects() { exec nc "$options" "$1"; }
else
    connects() { is_listed "$path"; }
fi

# Whether a socket of this name, or of this file, is in the table, whose fields proc(5)
# describes: the flags of a socket that accepts connections, the type of a datagram socket.
is_listed() {
    local flags type bound
    while read -r _ _ _ flags type _ _ bound; do
        if [[ $kind == datagram ]]; then
            [[ $type == 0002 ]] || continue
        else
            [[ $type != 0002 && $flags == 00010000 ]] || continue
        fi
        if [[ $bound == "$1" || $bound -ef $1 ]]; then return; fi
    done </proc/net/unix
    return 1
}

probe() {
    if [[ -S $path ]]; then
        # A socket's path is limited to 107 bytes.
        __vm_output='the socket exists, but accepts no connection'
        (cd -- "$dir" && connects "./${path##*/}") 2>/dev/null
    elif [[ $path == @* ]]; then
        __vm_output='there is no such abstract socket'
        is_listed "$path"
    else
        __vm_output='there is no such socket'
        return 1
    fi
}
