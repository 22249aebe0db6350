# shellcheck shell=bash
# Unmounts all 9p shares and prints them as /proc/mounts does, but for those that an
# automount mounts again, or the next copy: $on_demand. If one can't be unmounted, mounts
# the others again and prints its directory.
# shellcheck disable=SC2154 # assigned by the caller
unmounted=()
while read -r source dir type options _; do
    [[ $type == 9p ]] || continue
    escaped=$dir dir=$(printf %b "$dir")
    if ! umount "$dir"; then
        for ((i = 0; i < ${#unmounted[@]}; i += 3)); do
            mount -t 9p -o "${unmounted[i + 2]}" "${unmounted[@]:i:2}"
        done
        echo "$dir"
        exit 1
    fi
    if [[ $source == "$on_demand" || $(</proc/mounts) == *" $escaped autofs "* ]]; then
        continue
    fi
    unmounted+=("$(printf %b "$source")" "$dir" "$options")
    echo "$source $escaped $type $options"
done </proc/mounts
sync
