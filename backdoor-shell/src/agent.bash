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
# The worker, a child of this shell, runs the commands one after another, and sends their
# output and their end: this loop reads `stop` meanwhile. A command's process group is not
# that of the worker (set -m), so that whatever it kills or stops among its own processes,
# the worker still sends the end. Between two commands, the process of the next one waits.

exec 4>&2 2>/dev/null 5>&1 # 4: the guest's stderr; bash's notices of jobs are discarded
set -m

# sends the command's output and its end
__vm_report() {
    local status=0 encoder=0
    __vm_encode || encoder=$?
    wait "$1" || status=$?
    printf '%d::%d' "$__vm_number" "$__vm_number" >/proc/self/comm
    __vm_send '\r\n@e %s %d %d\n' "$__vm_nonce" "$status" "$encoder"
}

# prints as `printf` does, but all lines in one write
__vm_send() {
    local __vm_text
    # shellcheck disable=SC2059 # its first argument is the format
    printf -v __vm_text "$@"
    printf %s "$__vm_text"
}

# Starting a program is the most expensive part, so short output is sent without one if all
# of it arrives within a second of its first byte. The status of `read` is 0 at a NUL or when
# the buffer is full, 1 at the end, and greater than 128 after the second.
__vm_encode() {
    local text rest status=0
    # Changing the locale is expensive, too.
    [[ ! ${LC_ALL-}${LC_CTYPE-}${LANG-} ]] || local LC_ALL=C
    IFS= read -r -d '' -n 1 text || status=$?
    if [[ $text ]]; then
        IFS= read -r -d '' -n 511 -t 1 rest || status=$?
        text+=$rest
    fi
    if ((status != 1)) && [[ $__vm_on_port ]]; then
        printf '\n@c %s\n' "$__vm_nonce"
        __vm_begin
        dd bs=32768 # the largest write to a port
    elif ((status != 1)); then
        printf '\n@b %s ' "$__vm_nonce"
        __vm_begin | base64 -w 0 || return
        printf '\n@b %s ' "$__vm_nonce"
        base64 -w 0
    elif [[ $__vm_on_port && $text ]]; then
        __vm_send '\n@c %s\n%s' "$__vm_nonce" "$text"
    elif [[ $text == *[^[:print:]$'\n\t']* ]]; then
        printf '\n@b %s ' "$__vm_nonce"
        printf %s "$text" | base64 -w 0
    elif [[ $text ]]; then
        text=${text//'\'/'\\'}
        printf '\n@t %s %s\n' "$__vm_nonce" "${text//$'\n'/'\n'}"
    fi
}

# prints what __vm_encode has read, and the NUL after it
__vm_begin() {
    printf %s "$text"
    if ((status == 0 && ${#text} < 512)); then printf '\0'; fi
}

# stop NONCE SIGNAL: sends the end of a command whose worker can't, because it is killed or
# has sent it
__vm_stop() {
    local begin='' command='' end='' state=Z
    if [[ $2 == TERM ]]; then __vm_holders=; fi
    if [[ $1 == "$__vm_nonce" ]]; then
        # The worker may not have started the command yet. Linux 6.13 and newer may return a
        # part of what is being written, so the number is read from both sides of it.
        until [[ "$begin $end" == "$__vm_number $__vm_number" ]]; do
            kill -CONT -- "-$__vm_worker_id" # it may be stopped
            IFS=: read -r begin command end <"/proc/$__vm_worker_id/comm" || break
        done
    fi
    if [[ $end != "$__vm_number" || ! $command ]]; then
        printf '\r\n@e %s 137 0\n' "$1"
    elif [[ $2 == TERM ]]; then
        read -r state <"/proc/$command/stat"
        if [[ ${state##*) } == [ZX]* ]]; then __vm_find_holders; fi
        kill -TERM -- "-$command"
        kill -CONT -- "-$command" "-$__vm_worker_id" # they may be stopped
    else
        __vm_kill "$command"
        printf '\r\n@e %s 137 0\n' "$1"
    fi
}

# kills the worker and the process group of its command
__vm_kill() {
    local stat=
    read -r stat <"/proc/$__vm_worker_id/stat"
    # If it is gone, its number may be that of another process.
    if [[ ${stat##*) } == ?" $$ "* ]]; then
        kill -KILL -- ${1:+"-$1"} "-$__vm_worker_id"
    fi
    wait "$__vm_worker_id"
    unset __vm_worker
}

# Kills a worker that is still busy: a command has imitated its own end.
__vm_free_worker() {
    local command='' end=''
    IFS=: read -r _ command end <"/proc/$__vm_worker_id/comm"
    if [[ $command || $end != "$__vm_number" ]]; then __vm_kill "${end:+$command}"; fi
}

# The command has ended, but its output has not: finds the processes that hold it.
__vm_find_holders() {
    local dir word words
    for dir in /proc/[0-9]*; do
        if [[ $dir/fd/1 -ef /proc/$__vm_worker_id/fd/6 || $dir/fd/2 -ef /proc/$__vm_worker_id/fd/6 ]]; then
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

# end_earlier LINE: ends the worker of an earlier agent, whose output would get into later
# output, and which keeps the port in use. Also ends what reads a file for it (see put), which
# would take the requests to this agent.
__vm_end_earlier() {
    local dir words
    for dir in /proc/[0-9]*; do
        # systemd-run has only passed the line on, to the service that this shell is.
        while [[ $dir/fd/0 -ef $1 && -e $dir/fd/6 && $(<"$dir/comm") != systemd-run ]]; do
            kill -KILL "${dir#/proc/}"
        done
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

# Process substitution needs it. Early in a boot, the guest may not have made it.
[[ -e /dev/fd ]] || ln -s /proc/self/fd /dev/fd

printf '\n@r %s\n' "$__vm_hello"
__vm_number=0
while IFS= read -r __vm_line; do
    # Ignore requests to an earlier shell.
    [[ $__vm_line == "$__vm_hello "* ]] || continue
    __vm_line=${__vm_line#* }
    if [[ $__vm_line != '__vm_run '* ]]; then
        eval "$__vm_line"
        continue
    fi
    if [[ ${__vm_worker-} ]]; then __vm_free_worker; fi
    if [[ ! ${__vm_worker-} ]]; then
        # Bash takes a coprocess that was stopped for one that has ended.
        if [[ ${__vm_worker_id-} ]]; then __vm_kill ''; fi
        coproc __vm_worker {
            exec 5>&-
            trap : PIPE # SIGPIPE would end the worker if the waiting process was killed
            __vm_line=
            while :; do
                # Starting a process is the slowest part of a command, so the process is started
                # before the command arrives. It is a coprocess because that gets new pipes,
                # which are moved to 6 (output) and 7 (the command): bash would close them when
                # the process ends.
                set -m
                coproc __vm_pipe {
                    set +m
                    trap - PIPE
                    exec 2>&4 4>&-
                    unset __vm_hello __vm_nonce __vm_line # it can't imitate its end
                    read -r -N 8 __vm_size || exit
                    read -r -N "$((__vm_size))" __vm_command || exit
                    eval "__vm_command=$__vm_command"
                    exec </dev/null
                    set -euo pipefail
                    eval "${__vm_command:LINENO=1,0}" # errors show the line of the command
                }
                __vm_process=$!
                set +m
                exec 6<&"${__vm_pipe[0]}"- 7>&"${__vm_pipe[1]}"-
                if [[ ! $__vm_line ]]; then
                    read -r -N 8 __vm_size || break
                    read -r -N "$((__vm_size))" __vm_line || break
                fi
                # If it was killed while it waited, another process is started. If it is killed
                # only now, that is the command's end.
                if ! kill -0 "$__vm_process"; then
                    exec 6<&- 7>&-
                    continue
                fi
                __vm_nonce=${__vm_line#* } __vm_line=
                __vm_command=${__vm_nonce#* } __vm_nonce=${__vm_nonce%% *}
                __vm_number=$(((__vm_number + 1) % 1000))
                # For `stop`, in at most 15 bytes.
                printf '%d:%d:%d' "$__vm_number" "$__vm_process" "$__vm_number" >/proc/self/comm
                printf '%-8d%s' "${#__vm_command}" "$__vm_command" >&7
                __vm_report "$__vm_process" <&6
                exec 6<&- 7>&-
            done
        } >&5
        __vm_worker_id=$!
    fi
    __vm_number=$(((__vm_number + 1) % 1000))
    __vm_nonce=${__vm_line#* } __vm_nonce=${__vm_nonce%% *}
    printf '%-8d%s' "${#__vm_line}" "$__vm_line" >&"${__vm_worker[1]}"
done
