#!/bin/sh
# Run by Debian's installer at its start: starts the root shell in the installer.
mkdir -p /run/vmwright
cp -a /vmwright/. /run/vmwright/
/run/vmwright/busybox sh /run/vmwright/respawn.sh </dev/null >/dev/null 2>&1 &
