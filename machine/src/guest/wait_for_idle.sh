# shellcheck shell=bash
# Polls once a second, thirty times at most: an idle processor was busy for no more than
# 30 ms of it (/proc/stat counts hundredths). Waiting for a disk does not count.
processors=(/sys/devices/system/cpu/cpu[0-9]*)
busy_before=
for ((second = 0; second <= 30; second++)); do
    # shellcheck disable=SC2034 # idle and iowait are read past
    read -r _ user nice system idle iowait irq softirq _ </proc/stat
    busy=$((user + nice + system + irq + softirq))
    if [[ $busy_before ]] && ((busy - busy_before <= 3 * ${#processors[@]})); then exit 0; fi
    busy_before=$busy
    __vm_sleep 1
done
exit 1
