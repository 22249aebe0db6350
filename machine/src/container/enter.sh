# shellcheck shell=sh
# Runs the script $1 in bash as a service of the container in which this runs, with this standard
# input and output: with the limits of all its services, and ended before it powers off.
exec 2>/dev/console
# While the container powers off, systemd would wait for this process.
read -r init </proc/1/comm
[ "$init" != systemd-shutdow ] || exit
# The last directory is that of NixOS.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin
# Even in emergency mode, and ended by SIGHUP, because an interactive bash ignores SIGTERM. By
# default the description is the whole script, whose lines systemd then reads as sections. Only the
# shell is killed when it is stopped, and the others when the container powers off: with control
# groups of version 1, systemd misses now and then that the last one has ended, and waits for 90 s.
exec systemd-run --quiet --pipe --wait --collect --unit=vmwright-shell \
    --description="The driver's root shell" \
    --property=DefaultDependencies=no \
    --property=Conflicts=shutdown.target --property=Before=shutdown.target \
    --property=KillSignal=SIGHUP --property=KillMode=process --setenv=PATH="$PATH" bash -c "$1"
