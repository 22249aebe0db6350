# shellcheck shell=sh
# Typed as one line in a user's shell: runs the script in $vmwright, which is encoded, as root,
# and prints its exit status.
vmwright=$(printf %s "$vmwright" | base64 -d) && printf %s "$vmwright" |
if [ "$(id -u)" = 0 ]; then setsid sh; else sudo -n setsid sh; fi;
echo "vmwright: $?"
