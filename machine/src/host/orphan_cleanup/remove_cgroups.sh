# shellcheck shell=sh
# Removes the control groups $@ and those in them when standard input closes. Retries for five
# seconds: the processes in them are being killed.
read -r _
# Without arguments, `find` would search the current directory.
[ "$#" -gt 0 ] || exit 0
thaw() {
    find "$@" -name freezer.state 2>/dev/null | while read -r state; do
        echo THAWED >"$state"
    done
}
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    # With control groups of version 1, frozen processes do not end.
    thaw "$@"
    # The files in a control group can't be removed, and need not be.
    find "$@" -depth -type d -delete 2>/dev/null
    is_left=
    for dir; do [ ! -e "$dir" ] || is_left=1; done
    [ -n "$is_left" ] || exit 0
    sleep 0.25
done
exit 1
