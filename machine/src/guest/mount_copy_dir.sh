# shellcheck shell=bash
# Mounts the 9p share $tag at $share, unless $dir in it exists already.
# shellcheck disable=SC2154 # assigned by the caller
if [[ ! -d $dir ]]; then
    if [[ $(</proc/mounts) == *"$tag $share 9p "* ]]; then
        echo "$share is mounted, but hidden by another mount"
        exit 1
    fi
    (umask 077; mkdir -p "$share")
    modprobe -a 9p 9pnet_virtio || :
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 "$tag" "$share"
fi
[[ -d $dir ]]
