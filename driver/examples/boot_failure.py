"""A machine that fails to boot, and is repaired from its console.

Machine `machine` with systemd.
"""

with subtest("systemd enters emergency mode"):
    # A disk that does not exist, with a short timeout.
    machine.wait_for_unit("multi-user.target")
    machine.succeed(
        "echo '/dev/vdz /data ext4 x-systemd.device-timeout=1s 0 2' >>/etc/fstab; sync"
    )
    machine.shutdown()
    machine.start()
    machine.wait_for_console_text("You are in emergency mode")
    machine.wait_for_console_text("Press Enter for maintenance")


PROMPT = r"root@\w+:~# "


def enter_opens_a_shell(_last: bool) -> bool:
    """sulogin discards input until shortly after it has printed its prompt."""
    machine.send_console("\n")
    try:
        machine.wait_for_console_text(PROMPT, timeout=10)
    except AssertionError:
        return False
    return True


with subtest("the machine is repaired"):
    retry(enter_opens_a_shell)
    machine.send_console("sed -i /vdz/d /etc/fstab; systemctl daemon-reload\n")
    machine.wait_for_console_text(PROMPT)
    machine.send_console("systemctl default\n")
    machine.wait_for_unit("multi-user.target")

console = machine.get_console_log()
t.assertRegex(console, r"Dependency failed for .*/data")
