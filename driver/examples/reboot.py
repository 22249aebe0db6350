"""A reboot, which keeps files on disk and loses those in memory.

Machine `machine` with systemd.
"""

machine.start(allow_reboot=True)
machine.wait_for_unit("multi-user.target")
boot = machine.succeed("cat /proc/sys/kernel/random/boot_id")
machine.succeed("echo kept >/var/lib/kept; echo lost >/run/lost; sync")

with subtest("Ctrl-Alt-Delete reboots"):
    machine.reboot()
    machine.wait_for_unit("multi-user.target")
    t.assertNotEqual(machine.succeed("cat /proc/sys/kernel/random/boot_id"), boot)

with subtest("files on disk are kept, those on a tmpfs are lost"):
    t.assertEqual(machine.succeed("cat /var/lib/kept"), "kept\n")
    machine.fail("cat /run/lost")

machine.shutdown()
assert not machine.booted
