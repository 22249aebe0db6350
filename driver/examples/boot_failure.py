"""A machine that does not boot, and is mended from its console.

Machine `machine` with systemd.
"""

with subtest("systemd gives up, and asks for somebody"):
    # A disk that is not there, and that systemd is not to wait long for.
    machine.wait_for_unit("multi-user.target")
    machine.succeed(
        "echo '/dev/vdz /data ext4 x-systemd.device-timeout=1s 0 2' >>/etc/fstab; sync"
    )
    machine.shutdown()
    machine.start()
    machine.wait_for_console_text("You are in emergency mode")
    machine.wait_for_console_text("Press Enter for maintenance")

with subtest("it is mended"):
    machine.send_console("\n")
    machine.wait_for_console_text(r"root@\w+:~# ")
    machine.send_console("sed -i /vdz/d /etc/fstab; systemctl daemon-reload\n")
    machine.wait_for_console_text(r"root@\w+:~# ")
    machine.send_console("systemctl default\n")
    machine.wait_for_unit("multi-user.target", timeout=120)

log = machine.get_console_log()
t.assertRegex(log, r"Dependency failed for .*/data")
