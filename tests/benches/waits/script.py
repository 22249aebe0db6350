"""The waits of a script, for `script.rs`, which reads their ends in the log."""

import json
import os
import time

SECONDS = float(os.environ["SECONDS_OF_WAITING"])


def exists(file):
    return machine.execute(f"test -e /run/{file}")[0] == 0


WAITS = {
    "retry": lambda file, seconds: retry(lambda _: exists(file), timeout=seconds),
    "polling_condition": lambda file, seconds: polling_condition(
        lambda: exists(file)
    ).wait(timeout=seconds),
}


def log_statistics():
    log.info("statistics " + machine.succeed(os.environ["STATISTICS"]))


machine.succeed(os.environ["IDLE"])
for kind in json.loads(os.environ["KINDS"]):
    wait = WAITS[kind["wait"]]
    for number, event in enumerate(kind["events"], 1):
        machine.succeed(event)
        wait(f"{kind['wait']}{number}", 900)
        log.info("the wait has ended")
    log_statistics()
    time.sleep(SECONDS)
    log_statistics()
    with t.assertRaises(AssertionError):
        wait("never", SECONDS)
    log_statistics()
