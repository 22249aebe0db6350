# What the guest's shell evaluates once, on connecting. From then on it reads
# requests, one a line, and answers in frames (see frame.rs), each on a line of
# its own that names the request's nonce:
#
#   @r NONCE                 ready: the agent runs, or takes a file
#   @t NONCE TEXT            plain text: why a file can't be written, or output at a
#                            console; only \\ and \n are escaped
#   @b NONCE BASE64          output at a console, anything else
#   @c NONCE                 output, its own bytes, from the next line to the CR LF that
#                            begins the end: at a port, where nobody else writes
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
        set +m            # the group is for all of it, and the command sees no job control
        shopt -s lastpipe # encoding takes no process of its own
        trap '' TERM      # what was printed before `stop` still arrives, and the end
        (
            trap - TERM
            shopt -u lastpipe
            exec </dev/null 2>&4 4>&-
            __vm_command=$2
            set --
            unset __vm_hello __vm_job_nonce __vm_line # nothing it prints can be its end
            set -euo pipefail
            eval "$__vm_command"
        ) | __vm_encode "$1"
        printf '\r\n@e %s %d %d\n' "$1" "${PIPESTATUS[@]}"
    } &
    __vm_job=$!
}

# Starting a program costs a guest more than all the rest, so that what is short goes
# without, if all of it comes within a second of the first. `read` ends with 0 at a NUL or
# a full buffer, with 1 at the end, and with more when the second is over.
__vm_encode() {
    local LC_ALL=C text rest status=0
    shopt -u lastpipe # an older bash would lose the status of the pipeline that this is of
    IFS= read -r -d '' -n 1 text || status=$?
    if [[ $text ]]; then
        IFS= read -r -d '' -n 511 -t 1 rest || status=$?
        text+=$rest
    fi
    if ((status != 1)) && [[ $__vm_on_port ]]; then
        printf '\n@c %s\n' "$1"
        __vm_begin
        dd bs=32768 # as much as a port takes at once
    elif ((status != 1)); then
        printf '\n@b %s ' "$1"
        __vm_begin | base64 -w 0 || return
        printf '\n@b %s ' "$1"
        base64 -w 0
    elif [[ $__vm_on_port && $text ]]; then
        printf '\n@c %s\n%s' "$1" "$text"
    elif [[ $text == *[^[:print:]$'\n\t']* ]]; then
        printf '\n@b %s ' "$1"
        printf %s "$text" | base64 -w 0
    elif [[ $text ]]; then
        text=${text//'\'/'\\'}
        printf '\n@t %s %s\n' "$1" "${text//$'\n'/'\n'}"
    fi
}

# what __vm_encode has read, and the NUL that ended that
__vm_begin() {
    printf %s "$text"
    if ((status == 0 && ${#text} < 512)); then printf '\0'; fi
}

# stop NONCE SIGNAL: what ends by itself sends its own end; what is killed can't,
# nor what was never begun
__vm_stop() {
    if [[ $1 == "$__vm_job_nonce" && $'\n'$(jobs -p)$'\n' == *$'\n'"$__vm_job"$'\n'* ]]; then
        kill "-$2" -- "-$__vm_job"
    fi
    if [[ $1 != "$__vm_job_nonce" || $2 == KILL ]]; then printf '\r\n@e %s 137 0\n' "$1"; fi
}

# put NONCE DECODER PATH: is ready when the file is open. Then pieces of it come, each
# after a head of 26 bytes, `NONCE SIZE`, until one of size 0. Why the file can't be
# written is said at once, and what is still sent of it goes nowhere. No DECODER: the
# pieces are the file's own bytes.
#
# dd takes what it is told to and no more, where busybox's `head -c` takes more of
# anything, and `read` of a terminal. It has a piece whole before any is written.
# Should it fail, the loop below gets the rest, and ignores it.
__vm_put() {
    local -x LC_ALL=C
    local head code status=0 reason
    if ! { exec 6>"$3"; } 2>/dev/null; then
        reason=$({ exec 6>"$3"; } 2>&1)
        printf '\n@t %s %s\n@e %s 1 0\n' "$1" "${reason##*: }" "$1"
        return
    fi
    printf '\n@r %s\n' "$1"
    while
        if [[ -t 0 ]]; then head=$(__vm_take 26 2>/dev/null); else IFS= read -r head; fi
        [[ $head == "$1 "* ]]
    do
        if ((${head##* } == 0)); then
            exec 6>&-
            printf '\n@e %s %d 0\n' "$1" "$status"
            return
        fi
        reason=$(
            if [[ ! $2 ]]; then __vm_take "${head##* }" 2>&1 >&6; exit; fi
            set -o pipefail
            __vm_take "${head##* }" 2>/dev/null | eval "$2" 2>&1 >&6
        )
        code=$?
        if ((code && !status)); then
            status=$code
            exec 6>/dev/null
            reason=${reason%%$'\n'*} # what dd adds is what it has copied
            ((code == 127)) && reason='dd, cat or base64 is not installed'
            printf '\n@t %s %s\n' "$1" "${reason##*: }"
        fi
    done
    exec 6>&-
    printf '\n@t %s dd is not installed, or was killed\n@e %s 127 0\n' "$1" "$1"
}

__vm_take() {
    exec dd bs="$1" count=1 iflag=fullblock
}

# QEMU drops what a virtio console writes faster than the host reads; at a virtio
# port the writer waits. So all goes through the port, where there is one.
__vm_on_port=
for __vm_port in /sys/class/virtio-ports/*/name; do
    read -r __vm_name <"$__vm_port" || continue
    __vm_port=${__vm_port%/name}
    if [[ $__vm_name == org.vmwright.shell ]] && exec 5<>"/dev/${__vm_port##*/}"; then
        exec <&5 >&5 5>&-
        __vm_on_port=1
    fi
done

printf '\n@r %s\n' "$__vm_hello"
while IFS= read -r __vm_line; do
    # What was meant for a shell that is gone is not for this one.
    if [[ $__vm_line == "$__vm_hello "* ]]; then eval "${__vm_line#* }"; fi
done
