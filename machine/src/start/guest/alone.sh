#!/bin/sh
# The first process in a root without an init: the file systems and the network that
# programs expect, and the root shell. It waits for orphans.
b=/run/vmwright/busybox
export PATH=/run/vmwright/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
$b mkdir -p /dev/pts /dev/shm /run/lock
$b mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
$b mount -t tmpfs -o mode=1777 shm /dev/shm
[ -e /dev/fd ] || $b ln -s /proc/self/fd /dev/fd
for link in 0:stdin 1:stdout 2:stderr; do
    [ -e "/dev/${link#*:}" ] || $b ln -s "/proc/self/fd/${link%:*}" "/dev/${link#*:}"
done
$b ip link set lo up
if [ -e /sys/class/net/eth0 ]; then
    # The addresses of QEMU's user network.
    $b ip link set eth0 up
    $b ip address add 10.0.2.15/24 dev eth0
    $b ip route add default via 10.0.2.2
fi
exec $b sh /run/vmwright/respawn.sh
