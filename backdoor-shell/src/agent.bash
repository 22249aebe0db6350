# The guest's shell evaluates this script once, on connecting. From then on it reads
# requests, one per line, and answers with frames (see frame.rs). Each frame begins a line
# and carries the request's nonce:
#
#   @r NONCE                 ready: the agent runs, or is ready for a file
#   @t NONCE TEXT            why a file can't be written, or plain text output at a
#                            console; only \\ and \n are escaped
#   @b NONCE BASE64          other output at a console
#   @c NONCE                 output, unencoded, from the next line to the CR LF before the
#                            end: at a port, which has no other writers
#   @e NONCE STATUS ENCODER  end: exit status of the command and of the encoder
#
# Each command runs in the background, in a process group of its own (set -m), so that
# this loop can read `stop` meanwhile, and `stop` reaches the whole group.

exec 4>&2 2>/dev/null # 4: the guest's stderr; job notices are discarded
set -m
BASH_ARGV0=bash # $0, as with `bash -c`

# run NONCE COMMAND
__vm_run() {
    __vm_job_nonce=$1
    {
        set +m            # one group for all; no job control in the command
        shopt -s lastpipe # __vm_encode needs no process
        trap '' TERM      # after `stop`, send remaining output and the end
        (
            trap - TERM
            shopt -u lastpipe
            exec </dev/null 2>&4 4>&-
            __vm_command=$2
            set --
            unset __vm_hello __vm_job_nonce __vm_line # it can't imitate its end
            set -euo pipefail
            eval "$__vm_command"
        ) | __vm_encode "$1"
        printf '\r\n@e %s %d %d\n' "$1" "${PIPESTATUS[@]}"
    } &
    __vm_job=$!
}

# Starting a program is the most expensive part, so short output is sent without one if all
# of it arrives within a second of its first byte. The status of `read` is 0 at a NUL or when
# the buffer is full, 1 at the end, and greater than 128 after the second.
__vm_encode() {
    local LC_ALL=C text rest status=0
    shopt -u lastpipe # otherwise an older bash loses our pipeline's status
    IFS= read -r -d '' -n 1 text || status=$?
    if [[ $text ]]; then
        IFS= read -r -d '' -n 511 -t 1 rest || status=$?
        text+=$rest
    fi
    if ((status != 1)) && [[ $__vm_on_port ]]; then
        printf '\n@c %s\n' "$1"
        __vm_begin
        dd bs=32768 # the largest write to a port
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

# prints what __vm_encode has read, and the NUL after it
__vm_begin() {
    printf %s "$text"
    if ((status == 0 && ${#text} < 512)); then printf '\0'; fi
}

# stop NONCE SIGNAL: sends the end of a command that can't, because it is killed or was never
# started
__vm_stop() {
    if [[ $1 == "$__vm_job_nonce" && $'\n'$(jobs -p)$'\n' == *$'\n'"$__vm_job"$'\n'* ]]; then
        kill "-$2" -- "-$__vm_job"
    fi
    if [[ $1 != "$__vm_job_nonce" || $2 == KILL ]]; then printf '\r\n@e %s 137 0\n' "$1"; fi
}

# put NONCE DECODER PATH: answers ready when the file is open. Pieces of it follow, each
# after a head of 26 bytes, `NONCE SIZE`, up to one of size 0. If the file can't be written,
# the reason is sent at once, and the remaining pieces are discarded. Without DECODER, the
# pieces are not encoded.
#
# dd reads exactly the given size: busybox's `head -c` reads ahead, and so does `read` from
# a terminal. It reads a whole piece before it writes any of it. If it fails, the main loop
# reads the rest and ignores it.
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
            reason=${reason%%$'\n'*} # without dd's statistics
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

# QEMU drops output to a virtio console while the host reads too slowly; at a virtio port,
# the writer waits. So the port is used if there is one.
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
    # Ignore requests to an earlier shell.
    if [[ $__vm_line == "$__vm_hello "* ]]; then eval "${__vm_line#* }"; fi
done
