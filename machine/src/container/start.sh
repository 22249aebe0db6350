# shellcheck shell=sh
# Runs a container in its state directory, in a mount namespace of its own: whatever is mounted
# here disappears with the container's last process.
#
#   sh start.sh USER_NAMESPACE LOWER SHARED ROOT KEEP CGROUP... -- COMMAND...
#
# `root` is what COMMAND starts: the directory LOWER, below a layer that has all changes. It
# shares `shared`, which is SHARED, and `copies-shared`, which is `copies`. If LOWER is empty,
# these are mounted already, as is `lower`. ROOT is the user id of the container's root.
# If KEEP is not empty, the changes must survive the container. USER_NAMESPACE is `host` or
# `other`: in another one, a procfs and a sysfs for the container are mounted in `api`.
set -eu
umask 022
user_namespace=$1 lower=$2 shared=$3 owner=$4 keep=$5
shift 5

# What is in `/run` of the container's own.
own_in_run='systemd/nspawn netns nixos-nspawn'

fail() {
    echo "$1" >&2
    exit 1
}

join_cgroup() {
    if { echo "$$" >"$1/cgroup.procs"; } 2>/dev/null; then return; fi
    # The hierarchy of cpuset, of version 1, accepts no processes before it was configured.
    if [ -e "$1/tasks" ] && [ -e "$1/cpuset.cpus" ]; then return; fi
    fail "can't join the control group $1"
}

mount_directories() {
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
}

mount_root() {
    # No file system needs to be synchronized. An overlay on another, as in other containers,
    # is refused.
    if refusal=$(mount_overlay ,volatile 2>&1); then return; fi
    [ -z "$keep" ] || fail "the container's state can't be kept in $PWD: $refusal"
    echo "changes of its root are in memory, and lost when it ends: $refusal" >&2
    mount -t tmpfs -o mode=0700 tmpfs layers
    mount_overlay ''
}

mount_overlay() {
    rm -rf layers/work
    mkdir -p layers/upper layers/work
    chown "$owner:$owner" layers/upper
    options=nodev,lowerdir=lower,upperdir=layers/upper,workdir=layers/work$1
    # The extended attributes of root of the host are denied to others.
    [ "$user_namespace" = host ] || options=$options,userxattr
    mount -t overlay -o "$options" overlay root
}

# In a user namespace, Linux only mounts a procfs or sysfs where another one is visible as a whole.
# From version 253 on, systemd-nspawn keeps none for it. These are of namespaces that end here, so
# they show no processes and network cards of the host.
mount_api() {
    mkdir -p api/proc api/sys
    mounts='mount -t proc proc api/proc && mount -t sysfs sysfs api/sys'
    refusal=$(unshare --pid --fork --net -- /bin/sh -c "$mounts" 2>&1) ||
        fail "can't mount a procfs and a sysfs: other mounts hide a part of /proc or /sys: $refusal"
}

# Changes of /run are in memory: systemd-nspawn, `ip netns` and start scripts leave files there
# when they are killed. The host's files in the container's own directories are hidden.
mount_run() {
    mkdir -p run
    mount -t tmpfs -o mode=0755 tmpfs run
    if [ "$user_namespace" = host ]; then
        mount_overlay_over_run
    else
        mount_copy_over_run
    fi
}

mount_overlay_over_run() {
    mkdir run/upper run/work
    layers=lowerdir=/run,upperdir=run/upper,workdir=run/work
    refusal=$(mount -t overlay -o "$layers" overlay /run 2>&1) ||
        fail "can't mount an overlay over /run: $refusal"
    # An overlay lacks the mounts in the directory.
    case $PWD in
    /run/*)
        mkdir -p "$PWD"
        mount --no-canonicalize --rbind . "$PWD"
        ;;
    esac
    for dir in $own_in_run; do
        mkdir -p "/run/$dir"
        mount -t tmpfs -o mode=0755 tmpfs "/run/$dir"
    done
}

# An overlay is refused if there are mounts in the directory, because it would lack them. A user
# who is not root of the host can't change much in the host's directories.
mount_copy_over_run() {
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
    for dir in $own_in_run; do mkdir -p "run/$dir"; done
    mount --no-canonicalize --rbind run /run
}

while [ "$1" != -- ]; do
    join_cgroup "$1"
    shift
done
shift
mount_directories
mount_root
[ "$user_namespace" = host ] || mount_api
mount_run

# Status 133 is a reboot.
status=133
while [ "$status" -eq 133 ]; do
    status=0
    "$@" || status=$?
done
exit "$status"
