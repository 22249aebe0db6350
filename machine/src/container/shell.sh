# shellcheck shell=bash
# Becomes the root shell of the container in which it runs, in an environment of its own.
export USER=root HOME=/root SHELL=/bin/bash DISPLAY=:0.0 TERM=dumb

become_shell() {
    trap - EXIT
    exec <&3 >&4 2>&5 3<&- 4>&- 5>&-
    cd /root 2>/dev/null || cd /
    # In two parts, so that printing this file does not look like a new shell.
    printf '\r\n%s%s\r\n' '@g 3d0c6f5a91e84b27' ab5e60d4c7f21893
    echo "Spawning backdoor root shell..."
    PS1='' exec bash --norc
}

# Also if the profile exits.
trap become_shell EXIT
exec 3<&0 4>&1 5>&2
# As in a login shell: on NixOS, it sets the path of all programs.
# shellcheck disable=SC1091 # a file of the container
[ ! -r /etc/profile ] || . /etc/profile >/dev/null 2>&1 </dev/null
