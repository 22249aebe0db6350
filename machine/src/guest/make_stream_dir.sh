# shellcheck shell=bash
# Prints a new directory for copies, if there is a `tar` for them.
if ! type -P tar >/dev/null; then
    echo 'tar is not installed'
    exit 1
fi
mktemp -d /var/tmp/vmwright.XXXXXX 2>/dev/null || mktemp -d /tmp/vmwright.XXXXXX
