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
# A command has a job, which sends its output and its end, in the background: this loop
# reads `stop` meanwhile. The command's process group is not that of the job (set -m), so
# that whatever it kills or stops among its own processes, the job still sends the end.

exec 4>&2 2>/dev/null 5>&1 # 4: the guest's stderr; job notices are discarded
set -m

# run NONCE COMMAND: the main loop starts it, because the errors of a command in a function
# would name the function's source
__vm_run() {
    __vm_job_nonce=$1 __vm_command=$2
}

# sends the command's output and its end
__vm_report() {
    local status=0 encoder=0
    __vm_encode || encoder=$?
    wait "$1" || status=$?
    printf '\r\n@e %s %d %d\n' "$__vm_job_nonce" "$status" "$encoder"
}

# Starting a program is the most expensive part, so short output is sent without one if all
# of it arrives within a second of its first byte. The status of `read` is 0 at a NUL or when
# the buffer is full, 1 at the end, and greater than 128 after the second.
__vm_encode() {
    local LC_ALL=C text rest status=0
    IFS= read -r -d '' -n 1 text || status=$?
    if [[ $text ]]; then
        IFS= read -r -d '' -n 511 -t 1 rest || status=$?
        text+=$rest
    fi
    if ((status != 1)) && [[ $__vm_on_port ]]; then
        printf '\n@c %s\n' "$__vm_job_nonce"
        __vm_begin
        dd bs=32768 # the largest write to a port
    elif ((status != 1)); then
        printf '\n@b %s ' "$__vm_job_nonce"
        __vm_begin | base64 -w 0 || return
        printf '\n@b %s ' "$__vm_job_nonce"
        base64 -w 0
    elif [[ $__vm_on_port && $text ]]; then
        printf '\n@c %s\n%s' "$__vm_job_nonce" "$text"
    elif [[ $text == *[^[:print:]$'\n\t']* ]]; then
        printf '\n@b %s ' "$__vm_job_nonce"
        printf %s "$text" | base64 -w 0
    elif [[ $text ]]; then
        text=${text//'\'/'\\'}
        printf '\n@t %s %s\n' "$__vm_job_nonce" "${text//$'\n'/'\n'}"
    fi
}

# prints what __vm_encode has read, and the NUL after it
__vm_begin() {
    printf %s "$text"
    if ((status == 0 && ${#text} < 512)); then printf '\0'; fi
}

# stop NONCE SIGNAL: sends the end of a command whose job can't, because it is killed or was
# never started
__vm_stop() {
    local command='' state=Z
    if [[ $2 == TERM ]]; then __vm_holders=; fi
    if [[ $1 != "$__vm_job_nonce" || $'\n'$(jobs -p)$'\n' != *$'\n'"$__vm_job"$'\n'* ]]; then
        printf '\r\n@e %s 137 0\n' "$1"
        return
    fi
    # The job may not have started the command yet.
    while [[ ! $command ]] && read -r _ command <"/proc/$__vm_job/comm"; do :; done
    if [[ $2 == TERM ]]; then
        read -r state <"/proc/$command/stat"
        if [[ ${state##*) } == [ZX]* ]]; then __vm_find_holders; fi
        kill -TERM -- "-$command"
        kill -CONT -- "-$command" "-$__vm_job" # they may be stopped
    else
        kill -KILL -- "-$command" "-$__vm_job"
        printf '\r\n@e %s 137 0\n' "$1"
    fi
}

# The command has ended, but its output has not: says which processes hold it.
__vm_find_holders() {
    local dir word words
    for dir in /proc/[0-9]*; do
        if [[ $dir/fd/1 -ef /proc/$__vm_job/fd/0 || $dir/fd/2 -ef /proc/$__vm_job/fd/0 ]]; then
            words=
            while IFS= read -r -d '' word; do words+="${words:+ }$word"; done <"$dir/cmdline"
            if [[ $words == *__vm_find_holders* ]]; then words='a subshell'; fi
            words=${words:0:100}
            __vm_holders+="${__vm_holders:+, }${words//[![:print:]]/?} (process ${dir#/proc/})"
        fi
    done
}

# holders NONCE: sends what the last `stop` has found
__vm_send_holders() {
    printf '\n@t %s %s\n\r\n@e %s 0 0\n' "$1" "${__vm_holders//'\'/'\\'}" "$1"
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
            ((code == 127)) && reason="dd${2:+, cat or base64} is not installed"
            printf '\n@t %s %s\n' "$1" "${reason##*: }"
        fi
    done
    exec 6>&-
    ((status)) || printf '\n@t %s dd is not installed, or was killed\n' "$1"
    printf '\n@e %s 127 0\n' "$1"
}

__vm_take() {
    exec dd bs="$1" count=1 iflag=fullblock
}

# end_earlier LINE: ends the jobs of an earlier agent, whose output would get into later
# output, and which keep the port in use. Also ends what reads a file for it (see put), which
# would take the requests to this agent.
__vm_end_earlier() {
    local dir words
    for dir in /proc/[0-9]*; do
        while [[ $dir/fd/0 -ef $1 && -e $dir/fd/6 ]]; do kill -KILL "${dir#/proc/}"; done
        [[ $dir/fd/1 -ef $1 && ${dir#/proc/} != "$$" ]] || continue
        words=
        { read -r -d '' && read -r -d '' && IFS= read -r -d '' words; } <"$dir/cmdline"
        if [[ $words == *__vm_end_earlier* ]]; then
            kill -KILL -- "-${dir#/proc/}" "${dir#/proc/}"
            while [[ $dir/fd/1 -ef $1 ]]; do :; done
        fi
    done
}
__vm_end_earlier /proc/self/fd/1

# QEMU drops output to a virtio console while the host reads too slowly; at a virtio port,
# the writer waits. So the port is used if there is one. A shell that greeted there has it
# already: it can't be opened again.
export -n __vm_on_port
for __vm_port in /sys/class/virtio-ports/*/name; do
    [[ ! $__vm_on_port ]] || break
    read -r __vm_name <"$__vm_port" || continue
    __vm_port=/dev/${__vm_port#/sys/class/virtio-ports/} __vm_port=${__vm_port%/name}
    [[ $__vm_name == org.vmwright.shell ]] || continue
    __vm_end_earlier "$__vm_port"
    if exec 5<>"$__vm_port"; then
        exec <&5 >&5
        __vm_on_port=1
    fi
done

printf '\n@r %s\n' "$__vm_hello"
while IFS= read -r __vm_line; do
    # Ignore requests to an earlier shell.
    [[ $__vm_line == "$__vm_hello "* ]] || continue
    unset __vm_command
    eval "${__vm_line#* }"
    [[ ${__vm_command+set} ]] || continue
    # A coprocess, because its standard input is a new pipe, of which the job needs both ends.
    coproc __vm_pipe {
        exec 6>/proc/self/fd/0
        set -m
        {
            set +m
            exec </dev/null >&6 2>&4 4>&- 5>&- 6>&-
            unset __vm_hello __vm_job_nonce __vm_line # it can't imitate its end
            set -euo pipefail
            eval "${__vm_command:LINENO=1,0}" # errors show the line of the command
        } &
        exec 6>&-
        set +m
        echo "command $!" >/proc/self/comm # for `stop`
        __vm_report "$!"
    } >&5
    __vm_job=$!
    if [[ ${__vm_pipe-} ]]; then eval "exec ${__vm_pipe[0]}<&- ${__vm_pipe[1]}>&-"; fi
done
