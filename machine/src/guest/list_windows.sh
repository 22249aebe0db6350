# shellcheck shell=bash
# Defines `list_windows`, which sets $windows to the tree of the windows on display :0, or to
# the reason why they can't be listed; then it fails. Names are in UTF-8, but for those in
# ISO 8859-1, which stay as they are.

# xwininfo does not know X11's own encoding for all other names, which xprop knows.
unknown=' (name in unsupported encoding COMPOUND_TEXT):'

convert_names() {
    local line id name tree=
    while IFS= read -r line; do
        if [[ $line == *"$unknown"* ]]; then
            id=${line%%"$unknown"*}
            # WM_NAME(COMPOUND_TEXT) = "the name"
            if name=$(LC_ALL=C.UTF-8 xprop -id "${id##* }" WM_NAME 2>/dev/null); then
                line="$id ${name#*= }:${line#*"$unknown"}"
            fi
        fi
        tree+=$line$'\n'
    done <<<"$windows"
    windows=$tree
}

list_windows() {
    local status
    for _ in 1 2 3 4 5 6; do
        status=0
        windows=$(LC_ALL=C.UTF-8 xwininfo -root -tree 2>&1) || status=$?
        # A window was closed while its children were queried.
        if [[ $windows != *"Can't query window tree"* ]]; then break; fi
    done
    if ((status == 127)); then
        windows="xwininfo is not installed in the guest; it is in Debian's package x11-utils \
and in xorg.xwininfo of nixpkgs"
    elif [[ $windows == *"$unknown"* ]]; then
        convert_names
    fi
    return "$status"
}
