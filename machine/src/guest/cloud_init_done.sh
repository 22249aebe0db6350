# shellcheck shell=bash
probe() {
    state >/dev/null
}
