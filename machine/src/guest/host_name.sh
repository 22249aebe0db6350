# shellcheck shell=bash
# shellcheck disable=SC2154 # assigned by the caller
if [[ $host_name ]]; then
    printf %s "$host_name" >/proc/sys/kernel/hostname
    [[ ! -e /etc/hostname ]] || echo "$host_name" >/etc/hostname
fi
