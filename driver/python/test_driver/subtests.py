"""The subtests of a run, for its reports."""

import ast
from pathlib import Path
from typing import Any, List, Optional, Tuple

import _vmwright
from _vmwright import MAIN
from test_driver.failure import Failure
from test_driver.logger import rootlog

# A name, its start and end in seconds since the start of the run, and its failure.
Case = Tuple[str, float, float, Optional[Failure]]


def write_junit(path: Path, suite: str, failure: Optional[Failure]) -> None:
    """Writes a JUnit report with the subtests that have ended, and the failure of the run if
    it is not that of a subtest. Raises OSError."""
    cases = _each_failure_once(rootlog.ended)
    if not cases or (failure is not None and not _is_failure_of(failure, cases)):
        cases.append((MAIN, 0.0, _vmwright.elapsed(), failure))
    _vmwright.write_junit(path, suite, _with_unique_names(cases))


def note_on_others(script: Path) -> Optional[str]:
    """Names the subtests that did not run, if the names are constants of the script."""
    try:
        nodes: List[Any] = list(ast.walk(ast.parse(script.read_bytes())))
    except (OSError, ValueError, SyntaxError):
        return None  # The script has changed meanwhile.
    calls = [node for node in nodes if _is_subtest(node)]
    calls.sort(key=lambda call: call.lineno)
    ended = {name for name, *_ in rootlog.ended}
    names = [repr(call.args[0].value) for call in calls if call.args[0].value not in ended]
    return f"subtests that did not run: {', '.join(names)}" if names else None


def _is_subtest(node: Any) -> bool:
    if not isinstance(node, ast.Call) or not node.args:
        return False
    name, first = getattr(node.func, "id", None), node.args[0]
    name = name or getattr(node.func, "attr", None)
    return name == "subtest" and isinstance(getattr(first, "value", None), str)


def _is_failure_of(failure: Failure, cases: List[Case]) -> bool:
    failures = [case for *_, case in cases if case is not None]
    return any(case.error_id == failure.error_id for case in failures)


def _each_failure_once(ended: List[Case]) -> List[Case]:
    """The subtests in the order of their ends. Only the innermost has a failure."""
    seen = set()
    cases: List[Case] = []
    for name, start, end, failure in ended:
        if failure is not None and failure.error_id in seen:
            failure = None
        elif failure is not None:
            seen.add(failure.error_id)
        cases.append((name, start, end, failure))
    return cases


def _with_unique_names(cases: List[Case]) -> List[Case]:
    """Numbers the cases that have the name of an earlier one."""
    names = set()
    unique: List[Case] = []
    for name, *rest in cases:
        number, candidate = 1, name
        while candidate in names:
            number += 1
            candidate = f"{name} ({number})"
        names.add(candidate)
        unique.append((candidate, *rest))  # type: ignore
    return unique
