# shellcheck shell=sh
# Runs a container in its state directory, in a mount namespace of its own: whatever is mounted
# here disappears with the container's last process.
#
#   sh start.sh LOWER SHARED ROOT KEEP OPTIONS CGROUP... -- COMMAND...
#
# `root` is what COMMAND starts: the directory LOWER, below a layer that has all changes. It
# shares `shared`, which is SHARED, and `copies-shared`, which is `copies`. If LOWER is empty,
# these are mounted already, as is `lower`. ROOT is the user id of the container's root.
# If KEEP is not empty, the changes must survive the container. OPTIONS are those of overlays:
# `userxattr` in a user namespace.
set -eu
umask 022
lower=$1 shared=$2 owner=$3 keep=$4 options=$5
shift 5
while [ "$1" != -- ]; do
    # The hierarchy of cpuset, of version 1, accepts no processes before it was configured.
    if ! { echo "$$" >"$1/cgroup.procs"; } 2>/dev/null &&
        ! { [ -e "$1/tasks" ] && [ -e "$1/cpuset.cpus" ]; }; then
        echo "can't join the control group $1" >&2
        exit 1
    fi
    shift
done
shift

# Relative paths, because some characters have a meaning in the options of overlays.
mkdir -p lower root layers shared copies-shared
if [ -n "$lower" ]; then
    mount --bind -- "$lower" lower
    mount --bind -- "$shared" shared
    mount --bind copies copies-shared
fi
# A virtual machine whose QEMU runs as root can put device nodes there.
mount -o remount,bind,nodev,nosuid shared
mount -o remount,bind,nodev,nosuid copies-shared
mount_root() {
    rm -rf layers/work
    mkdir -p layers/upper layers/work
    chown "$owner:$owner" layers/upper
    layers=lowerdir=lower,upperdir=layers/upper,workdir=layers/work
    mount -t overlay -o "nodev,$options,$layers$1" overlay root
}
# No file system needs to be synchronized. An overlay on another, as in other containers,
# is refused.
if ! refusal=$(mount_root ,volatile 2>&1); then
    if [ -n "$keep" ]; then
        echo "the container's state can't be kept in $PWD: $refusal" >&2
        exit 1
    fi
    mount -t tmpfs -o mode=0700 tmpfs layers
    mount_root ''
fi

# Changes of /run are in memory: systemd-nspawn, `ip netns` and start scripts leave files there
# when they are killed. The host's files in these directories are hidden.
own='systemd/nspawn netns nixos-nspawn'
mkdir -p run
mount -t tmpfs -o mode=0755 tmpfs run
if [ "$options" = userxattr ]; then
    # An overlay is refused if there are mounts in the directory, because it would lack them. This
    # user can't change much in the host's directories.
    for entry in /run/*; do
        name=${entry#/run/}
        if [ -L "$entry" ]; then
            cp -P -- "$entry" "run/$name"
        elif [ -d "$entry" ]; then
            case $name in systemd | netns | nixos-nspawn) continue ;; esac
            mkdir "run/$name"
            mount --no-canonicalize --rbind -- "$entry" "run/$name"
        fi
    done
    for dir in $own; do mkdir -p "run/$dir"; done
    mount --no-canonicalize --rbind run /run
else
    mkdir run/upper run/work
    layers=lowerdir=/run,upperdir=run/upper,workdir=run/work
    if ! refusal=$(mount -t overlay -o "$layers" overlay /run 2>&1); then
        echo "can't mount an overlay over /run: $refusal" >&2
        exit 1
    fi
    # An overlay lacks the mounts in the directory.
    case $PWD in
    /run/*)
        mkdir -p "$PWD"
        mount --no-canonicalize --rbind . "$PWD"
        ;;
    esac
    for dir in $own; do
        mkdir -p "/run/$dir"
        mount -t tmpfs -o mode=0755 tmpfs "/run/$dir"
    done
fi

# Status 133 is a reboot.
status=133
while [ "$status" -eq 133 ]; do
    status=0
    "$@" || status=$?
done
exit "$status"
