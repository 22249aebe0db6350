#!/bin/sh
# Starts the root shell, at every boot. cloud-init runs it and waits for its end.
mkdir -p /run/vmwright
cat >/run/vmwright/backdoor.sh <<'END'
@BACKDOOR@
END
if [ -d /run/systemd/system ]; then
    # The shell's service may run already, started by systemd's credentials.
    cat >/run/systemd/system/vmwright-shell.service <<'END'
@SERVICE@
END
    # A login would hang up the console of interactive sessions.
    systemctl --no-block --runtime mask serial-getty@hvc0.service
    systemctl --no-block start vmwright-shell.service || {
        systemctl daemon-reload
        systemctl --no-block start vmwright-shell.service
    }
else
    {
        while :; do
            sh /run/vmwright/backdoor.sh
            sleep 1
        done
    } </dev/null >/dev/null 2>&1 &
fi
