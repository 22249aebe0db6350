# shellcheck shell=bash
# Mounts the virtiofs share $tag at $share, unless $dir in it exists already.
# shellcheck disable=SC2154 # assigned by the caller
if [[ ! -d $dir ]]; then
    for device in /sys/bus/virtio/devices/*/device; do
        # A file system (virtio specification, 5: device types).
        if [[ -e $device && $(<"$device") == 0x001a ]]; then
            (umask 077; mkdir -p "$share")
            modprobe virtiofs || :
            mount -t virtiofs "$tag" "$share"
            break
        fi
    done
fi
[[ -d $dir ]]
