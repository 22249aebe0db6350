"""User services of systemd.

Machine `machine` with systemd and a user alice.
"""

from textwrap import dedent

UNIT = """\
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=sh -c 'whoami >>%h/diary'
    """

machine.wait_for_unit("multi-user.target")
machine.succeed("loginctl enable-linger alice")
machine.wait_for_unit("default.target", "alice")

with subtest("alice's service runs as alice"):
    units = "~alice/.config/systemd/user"
    machine.succeed(
        f"mkdir -p {units}",
        f"cat >{units}/diary.service <<'END'\n{dedent(UNIT)}END",
        "chown -R alice: ~alice",
    )
    status, _ = machine.systemctl("daemon-reload", "alice")
    t.assertEqual(status, 0)
    machine.start_job("diary.service", "alice")
    machine.wait_for_unit("diary.service", user="alice")
    t.assertEqual(machine.succeed("cat ~alice/diary"), "alice\n")

with subtest("the system manager does not have the service"):
    t.assertEqual(
        machine.get_unit_property("diary.service", "LoadState"), "not-found"
    )
    info = machine.get_unit_info("diary.service", "alice")
    t.assertEqual(info["SubState"], "exited")
    try:
        machine.wait_for_unit("diary.service", timeout=10)
    except Exception as error:
        log.info(f"expected: {str(error).splitlines()[0]}")
    else:
        raise Exception("the system manager has alice's service")
