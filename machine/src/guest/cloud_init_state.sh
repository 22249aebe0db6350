# shellcheck shell=bash
# Prints the result of cloud-init, or why there will be none; fails if it still runs.
state() {
    if [[ -e /run/cloud-init/result.json ]]; then
        cat /run/cloud-init/result.json
    elif [[ -e /run/cloud-init/disabled ]]; then
        echo 'it is disabled in this guest, or has found no data source'
    elif ! type -P cloud-init >/dev/null; then
        echo 'it is not installed'
    else
        return 1
    fi
}
