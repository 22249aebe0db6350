# shellcheck shell=bash
# Gives the network card with hardware address ${old[i]} the address ${new[i]}.
# shellcheck disable=SC2154 # assigned by the caller
for ((i = 0; i < ${#old[@]}; i++)); do
    for card in /sys/class/net/*; do
        [[ $(<"$card/address") != "${old[i]}" ]] ||
            ip link set "${card##*/}" address "${new[i]}"
    done
done
