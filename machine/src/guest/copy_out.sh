# shellcheck shell=bash
# Copies $source to $target in the share, readable by any user of the host.
# Pipes, sockets and devices can't be created there: the paths of the first ones are
# printed last, after a line with $target, in no more bytes than the host keeps of the
# output.
# shellcheck disable=SC2154 # assigned by the caller
[[ $source == /* ]] || source=./$source
if [[ -e $source && ! -d $source && ! -f $source ]]; then
    echo "$source is neither a file nor a directory"
    exit 1
fi
if [[ -d $source ]]; then
    special=$(
        cd -- "$source" || exit
        find . ! -type d ! -type f ! -type l | { head -c 500000; cat >/dev/null; }
    )
fi
if [[ ${special-} ]]; then
    mkdir -- "$target"
    cd -- "$source" || exit
    find . -type d -exec mkdir -p -- "$target/{}" \;
    find . '(' -type f -o -type l ')' -exec cp -P --parents -t "$target" -- {} +
else
    cp -rH -- "$source" "$target"
fi
chmod -R u+rwX -- "$target"
[[ ! ${special-} ]] || printf '\n%s\n%s\n' "$target" "$special"
