# shellcheck shell=bash
# Polls the function `probe` twenty times in a second; fails if it never succeeds.
# `read` with a time limit sleeps without starting a process.
exec {pause}<> <(:)
for ((look = 0; look < 20; look++)); do
    if probe; then exit 0; fi
    read -rt 0.05 -u "$pause" || :
done
exit 1
