# shellcheck shell=sh
# Sourced by the init of initramfs-tools before it runs its scripts.
/vmwright/busybox mkdir -p /scripts/init-bottom
echo /vmwright/hook >>/scripts/init-bottom/ORDER
