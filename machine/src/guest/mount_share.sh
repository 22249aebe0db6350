# shellcheck shell=bash
# Mounts the 9p share at $share, unless $dir in it exists already.
# shellcheck disable=SC2154 # assigned by the caller
if [[ ! -d $dir ]]; then
    mkdir -p "$share"
    modprobe -a 9p 9pnet_virtio || :
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 shared "$share"
fi
[[ -d $dir ]]
