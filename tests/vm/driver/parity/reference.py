"""Runs a script with the reference driver's class `Machine`, with stubs for its imports:
MACHINE.PY START-SCRIPT OUT-DIR TMP-DIR SCRIPT."""

import importlib.util
import os
import signal
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


class Log:
    def __getattr__(self, name):
        return lambda *args, **kwargs: None

    @contextmanager
    def nested(self, *args, **kwargs):
        yield


package, logger = ModuleType("test_driver"), ModuleType("test_driver.logger")
package.__path__ = []
logger.rootlog = Log()
sys.modules.update({"test_driver": package, "test_driver.logger": logger})

# The process group, so that remaining processes can be killed.
os.setpgid(0, 0)
reference, start_script, out_dir, tmp_dir, script = sys.argv[1:]
spec = importlib.util.spec_from_file_location("test_driver.machine", reference)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

machine = module.Machine(
    out_dir=Path(out_dir),
    tmp_dir=Path(tmp_dir),
    start_command=module.NixStartScript(start_script),
    name="machine",
)
names = {"machine": machine, "retry": module.retry, "__file__": script}
status = 1
try:
    exec(compile(Path(script).read_text(), script, "exec"), names)
    status = 0
except BaseException:
    traceback.print_exc()
sys.stdout.flush()
# The reference's own clean-up kills only the shell that has started QEMU, and may wait forever.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.killpg(0, signal.SIGTERM)
os._exit(status)
