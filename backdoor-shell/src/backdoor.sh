#!/bin/sh
# Runs a root shell at the virtio port org.vmwright.shell.
export USER=root HOME=/root SHELL=/bin/bash
cd /root 2>/dev/null || cd /
! command -v modprobe >/dev/null || modprobe -q virtio_console 2>/dev/null

# The port appears with a delay after its driver is loaded.
port='' tries=0
until [ -c "$port" ]; do
    [ "$tries" -lt 300 ] || exit 1
    [ "$tries" = 0 ] || sleep 0.1
    tries=$((tries + 1))
    for file in /sys/class/virtio-ports/*/name; do
        if [ -e "$file" ] && read -r name <"$file" && [ "$name" = org.vmwright.shell ]; then
            port=${file%/name}
            port=/dev/${port##*/}
        fi
    done
done

# It can be opened once: processes of an earlier shell may keep it for a while.
until (exec 5<>"$port") 2>/dev/null; do sleep 1; done
exec 5<>"$port" || exit 1
exec <&5 >&5 5>&- 2>/dev/console
# In two parts, so that printing this file does not look like a new shell.
printf '\r\n%s%s\r\n' '@g 3d0c6f5a91e84b27' ab5e60d4c7f21893
echo "Spawning backdoor root shell..."
bash=/bin/bash
[ -x "$bash" ] || bash=${0%/*}/bash
PS1='' exec "$bash" --norc
