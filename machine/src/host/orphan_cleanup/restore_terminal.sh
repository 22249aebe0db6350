# shellcheck shell=sh
# Restores the mode of the terminal $1 when standard input closes. Prints a line once the mode
# is saved. Without the `trap`, a process that is not in the terminal's foreground group could
# not set the mode.
trap '' HUP INT QUIT TERM TTOU
mode=$(stty -F "$1" -g) || exit
echo
read -r _
stty -F "$1" "$mode"
