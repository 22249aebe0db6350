# What the guest's shell evaluates once, on connecting. From then on it reads
# requests, one a line, and answers in frames (see frame.rs), each on a line of
# its own that names the request's nonce:
#
#   @r NONCE                 ready: the agent runs
#   @t NONCE TEXT            output, plain: only \\ and \n are escaped
#   @b NONCE BASE64          output, anything else
#   @e NONCE STATUS ENCODER  end: exit status of the command, of the encoder
#
# Commands run in the background, each in a process group of its own (set -m):
# so this loop can hear `stop` while one runs, and `stop` reaches all of it.

exec 4>&2 2>/dev/null # 4: the guest's stderr; bash's own job notices go nowhere
set -m
BASH_ARGV0=bash # what `bash -c` would show as $0

# run NONCE COMMAND
__vm_run() {
    __vm_job_nonce=$1
    {
        set +m      # the group is for all of it, and the command sees no job control
        trap '' TERM # what was printed before `stop` still arrives, and the end
        (
            trap - TERM
            exec </dev/null 2>&4 4>&-
            __vm_command=$2
            set --
            set -euo pipefail
            eval "$__vm_command"
        ) | __vm_encode "$1"
        printf '\n@e %s %d %d\n' "$1" "${PIPESTATUS[@]}"
    } &
    __vm_job=$!
}

# Starting base64 costs a guest more than all the rest, so that short plain text
# goes without. `read` ends with 0 at a NUL or a full buffer, else at the end.
__vm_encode() {
    local LC_ALL=C text
    if IFS= read -r -d '' -n 512 text; then
        printf '\n@b %s ' "$1"
        if ((${#text} < 512)); then printf '%s\0' "$text"; else printf %s "$text"; fi | base64 -w 0
        printf '\n@b %s ' "$1"
        exec base64 -w 0
    elif [[ $text == *[^[:print:]$'\n\t']* ]]; then
        printf '\n@b %s ' "$1"
        printf %s "$text" | base64 -w 0
    elif [[ $text ]]; then
        text=${text//'\'/'\\'}
        printf '\n@t %s %s' "$1" "${text//$'\n'/'\n'}"
    fi
}

# stop NONCE SIGNAL: what ends by itself sends its own end; what is killed can't,
# nor what was never begun
__vm_stop() {
    if [[ $1 == "$__vm_job_nonce" && $'\n'$(jobs -p)$'\n' == *$'\n'"$__vm_job"$'\n'* ]]; then
        kill "-$2" -- "-$__vm_job"
    fi
    if [[ $1 != "$__vm_job_nonce" || $2 == KILL ]]; then printf '\n@e %s 137 0\n' "$1"; fi
}

# QEMU drops what a virtio console writes faster than the host reads; at a virtio
# port the writer waits. So all goes through the port, where there is one.
for __vm_port in /sys/class/virtio-ports/*/name; do
    read -r __vm_name <"$__vm_port" || continue
    __vm_port=${__vm_port%/name}
    if [[ $__vm_name == org.vmwright.shell ]] && exec 5<>"/dev/${__vm_port##*/}"; then
        exec <&5 >&5 5>&-
    fi
done

printf '\n@r %s\n' "$__vm_hello"
while IFS= read -r __vm_line; do
    # What was meant for a shell that is gone is not for this one.
    if [[ $__vm_line == "$__vm_hello "* ]]; then eval "${__vm_line#* }"; fi
done
