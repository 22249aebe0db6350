"""The upgrade of a service that must keep its state.

Machine `machine` with systemd.
"""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAM = """#!/bin/sh
# A counter, version {version}.
count=$(cat /var/lib/counter 2>/dev/null || echo 0)
echo "{version} $((count + {step}))" >/run/counter
echo $((count + {step})) >/var/lib/counter
"""

UNIT = """
[Service]
Type=oneshot
ExecStart=/opt/counter/bin/counter
"""

machine.wait_for_unit("multi-user.target")
machine.succeed(
    f"cat >/etc/systemd/system/counter.service <<'END'{UNIT}END",
    "systemctl daemon-reload",
)


def install(version, step):
    """Installs a version and runs it once; returns its output, split into words."""
    with TemporaryDirectory() as host:
        program = Path(host) / "counter" / "bin" / "counter"
        program.parent.mkdir(parents=True)
        program.write_text(PROGRAM.format(version=version, step=step))
        program.chmod(0o755)
        machine.succeed("rm -rf /opt/counter")
        machine.copy_from_host(str(program.parent.parent), "/opt/counter")
    machine.start_job("counter.service")
    return machine.succeed("cat /run/counter").split()


counts = [0]


@polling_condition(interval=timedelta())
def count_never_decreases():
    """the count never decreases"""
    counts.append(int(machine.succeed("cat /var/lib/counter 2>/dev/null || echo 0")))
    t.assertEqual(counts, sorted(counts))


with count_never_decreases:
    t.assertEqual(install("1.0", 1), ["1.0", "1"])
    t.assertEqual(install("2.0", 10), ["2.0", "11"])

machine.copy_from_vm("/var/lib/counter", "kept")
t.assertEqual((machine.out_dir / "kept" / "counter").read_text(), "11\n")
