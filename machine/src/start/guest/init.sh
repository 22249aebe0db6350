#!/bin/sh
# The first process of a guest that starts from a kernel: mounts the root, and starts the
# root's init, or none, and the root shell. If it fails, the kernel panics, which ends the
# machine with the last lines of the console.

# root: `host` or `disk`. init: the path of the root's init, `auto`, or nothing for none.
# modules: the host's directory of modules, if the guest can mount it. name: the host name.
name='' root='' init='' modules=''
# shellcheck source=/dev/null
. /settings

fail() {
    echo "vmwright: $*"
    exit 1
}

# Runs a command of busybox in the root.
in_root() { chroot /root /run/vmwright/busybox "$@"; }

mkdir -p /proc /sys /dev /root /lower /upper
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev || fail "can't mount devtmpfs"
while read -r module; do
    insmod "/modules/$module" || echo "vmwright: can't load the kernel module $module"
done </modules/order

case $root in
host)
    # Nothing changes there while the guest runs, or the guest need not see it.
    options=ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000
    mount -t 9p -o "$options" vmwright-root /lower || fail "can't mount the host's root by 9p"
    mount -t tmpfs -o mode=755 upper /upper
    mkdir /upper/root /upper/work
    options=lowerdir=/lower,upperdir=/upper/root,workdir=/upper/work
    mount -t overlay -o "$options" root /root || fail "can't mount an overlay on the host's root"
    mount -t tmpfs -o mode=1777 tmp /root/tmp
    ;;
*)
    mount -t ext4 /dev/vda /root || fail "can't mount the root's disk"
    ;;
esac

(cd /root && mkdir -p proc sys dev run)
mount -t tmpfs -o mode=755,nosuid,nodev run /root/run
mkdir /root/run/vmwright
cp -a /bin/busybox /vmwright/. /root/run/vmwright

if [ -n "$modules" ]; then
    dir=/lib/modules/$(uname -r)
    in_root mkdir -p "$dir"
    in_root test -d "$dir/kernel" || {
        # Mounted there, because the path may contain links.
        mkdir /modules/all
        mount -o bind "/lower$modules" /modules/all
        mount -o move /modules/all "/root$dir"
    }
fi

for dir in proc sys dev; do
    mount -o move "/$dir" "/root/$dir"
done
hostname "$name"

if [ "$init" = auto ]; then
    init=
    ! in_root test -x /sbin/init || init=/sbin/init
fi
if [ -z "$init" ]; then
    exec switch_root /root /run/vmwright/busybox sh /run/vmwright/alone.sh
fi
in_root test -x "$init" || fail "the root has no program $init"
case $(in_root readlink -f "$init") in
*/systemd)
    units=/root/run/systemd/system
    mkdir -p "$units/sysinit.target.wants"
    mv /root/run/vmwright/vmwright-shell.service "$units"
    ln -s ../vmwright-shell.service "$units/sysinit.target.wants"
    # A login would hang up the console of interactive sessions.
    ln -s /dev/null "$units/serial-getty@hvc0.service"
    ;;
*)
    # A mount of its own: the init may forbid programs in /run.
    mount -o bind /root/run/vmwright /root/run/vmwright
    # Waits until it is in the root, where it keeps running when this script has ended.
    in_root sh -c '/run/vmwright/busybox sh /run/vmwright/respawn.sh &'
    ;;
esac
exec switch_root /root "$init"
