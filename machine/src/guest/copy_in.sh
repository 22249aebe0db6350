# shellcheck shell=bash
# Copies $copy to $target, or into it under $name if it is a directory; creates $parent.
# Modes are set last, from the lists in $modes: an existing file would keep its own, and
# nothing can be copied into a directory that is not writable.
# shellcheck disable=SC2154 # assigned by the caller
mkdir -p -- "$parent"
if [[ -d $target ]]; then target=$target/$name; fi
[[ ! $target || $target == /* ]] || target=./$target
cp -rT -- "$copy" "$target"
for mode in "$modes"/*; do
    if [[ -d $target ]]; then
        (cd -- "$target" || exit; xargs -0 chmod "${mode##*/}" -- <"$mode")
    else
        chmod "${mode##*/}" -- "$target"
    fi
done
