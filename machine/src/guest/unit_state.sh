# shellcheck shell=bash
# Defines `probe`, which reads the state of a unit and succeeds if it is not $last_seen, or if it
# can't be read although the service manager answers; then $__vm_status is not 0. $show is the
# query of `systemctl`, as shell text. $user is empty for the system's units.
#
# A service manager that does not answer may be restarting, or about to start.
#
# A unit changes its state only when its manager runs, which shows in the manager's
# scheduling statistics.
# shellcheck disable=SC2154,SC2034 # assigned by the caller; read by poll.sh
if ! type -P systemctl >/dev/null; then
    printf '%s\n0 1 0 127' 'systemctl is not installed in the guest: only systemd has units'
    exit
elif [[ ! $user ]]; then
    __vm_hint=/proc/1/schedstat
elif ! uid=$(id -u -- "$user" 2>&1) || ! gid=$(id -g -- "$user"); then
    printf '%s\n0 1 0 255' "$uid"
    exit
elif read -r pid <"/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service/init.scope/cgroup.procs"; then
    __vm_hint=/proc/$pid/schedstat
fi 2>/dev/null

# Errors of D-Bus connections that a restart of the manager ends. `systemctl` exits with the
# same status after all errors, so only its text identifies them.
export LC_ALL=C
ended='@(disconnected|not connected|Connection reset|Connection timed out)'

# Whether the user's manager runs. Unless the user lingers, logind stops it ten seconds after the
# last session: a login before that keeps it.
manager_runs() {
    local state='' name
    read -rd '' state <"/run/systemd/users/$uid"
    name=${state#*NAME=}
    [[ -S /run/user/$uid/systemd/private ]] && {
        [[ $state != *STATE=closing* || -e /var/lib/systemd/linger/${name%%$'\n'*} ]] ||
            ((__vm_now < logged_in + 500))
    }
} 2>/dev/null

logged_in=0
log_in() {
    is_login=yes
    logged_in=$__vm_now
}

# Runs `systemctl $1`. A login costs much more than the query: it starts a session.
query() {
    if [[ ! $user ]]; then
        eval "exec systemctl $1" 2>&1
    elif [[ $is_login ]]; then
        exec su -l --shell /bin/sh -c "XDG_RUNTIME_DIR=/run/user/$uid systemctl --user $1" -- "$user" 2>&1
    else
        export XDG_RUNTIME_DIR=/run/user/$uid
        eval "exec setpriv --reuid $uid --regid $gid --clear-groups systemctl --user $1" 2>&1
    fi
}

show_unit() {
    local try
    for try in 1 2 3; do
        __vm_output=$(query "$show")
        __vm_status=$?
        if ((__vm_status == 0)); then return; fi
        if [[ $user && ! $is_login ]]; then
            log_in
            continue
        fi
        # shellcheck disable=SC2053 # a pattern
        if [[ $__vm_output == *$ended* ]]; then return 1; fi
        if ((__vm_status != 127)) && ! (query 'show -p Version') >/dev/null; then return 1; fi
    done
    return 2
}

# Whether the unit is inactive, or no unit has the name, and it has no job.
has_stopped() {
    [[ $'\n'$__vm_output != *$'\nActiveState='* || $__vm_output == *ActiveState=inactive* ]] &&
        [[ $'\n'$__vm_output != *$'\nJob='[1-9]* ]]
}

probe() {
    is_login=
    if [[ $user ]] && ! manager_runs; then log_in; fi
    show_unit
    case $? in 1) return 1 ;; 2) return 0 ;; esac
    if has_stopped; then
        if [[ $(query 'show -p NJobs') != NJobs=0 ]]; then
            # They may still start it, or even create it.
            __vm_output+=$'\nOtherJobs=yes'
        else
            # A job may have ended just now.
            show_unit
            case $? in 1) return 1 ;; 2) return 0 ;; esac
        fi
    fi
    [[ $__vm_output != "$last_seen" ]]
}
