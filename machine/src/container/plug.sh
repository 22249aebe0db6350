# shellcheck shell=sh
# Creates a network card in the present network namespace, if it is missing, and connects it to
# a switch for as long as this script runs. Prints `connected`, or `not connected` or
# `not on this network` and ends.
#
#   sh plug.sh SOCKET CARD MAC ADDRESS  a container's card
#   sh plug.sh SOCKET CARD BRIDGE       a card of a bridge that a start script has created
#
# SOCKET is empty for a card that is not connected.
set -eu
socket=$1 card=$2
has_link() { ip link show dev "$1" >/dev/null 2>&1; }

if [ $# -eq 3 ] && ! has_link "$3"; then
    echo 'not on this network'
    exit
fi
if ! has_link "$card"; then
    # It outlives the process that uses it, which is its cable.
    ip tuntap add dev "$card" mode tap
    if [ $# -eq 4 ]; then
        ip link set dev "$card" address "$3"
        ip address add "$4" dev "$card"
    fi
fi
if [ $# -eq 3 ]; then
    # The bridges of all containers have the same address.
    ip address flush dev "$3"
    ip link set dev "$card" master "$3"
fi
ip link set dev "$card" up
if [ -z "$socket" ]; then
    echo 'not connected'
    exit
fi

# Otherwise the card would seem to be connected for a moment.
if ! [ -S "$socket/ctl" ]; then
    echo "no switch listens in $socket" >&2
    exit 1
fi
vde_plug2tap -s "$socket" "$card" </dev/null >&2 &
cable=$!
while kill -0 "$cable" 2>/dev/null; do
    case $(ip -oneline link show dev "$card") in
    *LOWER_UP*)
        echo connected
        break
        ;;
    esac
    sleep 0.02
done
wait "$cable"
