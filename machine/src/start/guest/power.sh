#!/run/vmwright/busybox sh
# shellcheck shell=dash
# poweroff or reboot, depending on the name it is called by, in a root without an init.
/run/vmwright/busybox sync
exec /run/vmwright/busybox "${0##*/}" -f
