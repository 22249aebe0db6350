"""Scripts whose failed `assert` statements show the values that they compared."""

import ast
from pathlib import Path
from types import CodeType
from typing import Any, List
from unittest import TestCase

# The assertion of unittest for each operator. Its message shows the differences.
METHODS = {
    "Eq": "assertEqual",
    "NotEq": "assertNotEqual",
    "Lt": "assertLess",
    "LtE": "assertLessEqual",
    "Gt": "assertGreater",
    "GtE": "assertGreaterEqual",
    "Is": "assertIs",
    "IsNot": "assertIsNot",
    "In": "assertIn",
    "NotIn": "assertNotIn",
}

# The maximum length of a message, in characters.
LONGEST = 10_000

# Variables of the rewritten script. They are no identifiers, so it has no others like them.
LEFT, RIGHT = "@left", "@right"


def compile_script(path: Path) -> CodeType:
    """Compiles a script. Each of its `assert` statements without a message gets one, which
    Python evaluates only if the assertion fails."""
    tree = _Messages().visit(ast.parse(path.read_bytes(), str(path)))
    code: CodeType = compile(ast.fix_missing_locations(tree), str(path), "exec")
    return code


class _Messages(ast.NodeTransformer):
    def visit_Assert(self, statement: ast.Assert) -> ast.Assert:
        test, source = statement.test, ast.Constant(ast.unparse(statement.test))
        if statement.msg is not None:
            pass
        elif isinstance(test, ast.Compare) and len(test.ops) == 1:
            test.left = _kept(LEFT, test.left)
            test.comparators = [_kept(RIGHT, test.comparators[0])]
            operator = ast.Constant(type(test.ops[0]).__name__)
            operands: List[ast.expr] = [_value(LEFT), _value(RIGHT)]
            statement.msg = _call("compared", [source, operator, *operands])
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test.operand = _kept(LEFT, test.operand)
            statement.msg = _call("evaluated", [source, _value(LEFT)])
        else:
            statement.test = _kept(LEFT, test)
            statement.msg = _call("evaluated", [source, _value(LEFT)])
        return statement


def _kept(name: str, value: ast.expr) -> ast.expr:
    return ast.copy_location(ast.NamedExpr(ast.Name(name, ast.Store()), value), value)


def _value(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _call(function: str, arguments: List[ast.expr]) -> ast.expr:
    """A call of a function of this module, whatever names the script has."""
    module = ast.parse(f"__import__({__name__!r}, fromlist=['*'])", mode="eval").body
    return ast.Call(ast.Attribute(module, function, ast.Load()), arguments, [])


def compared(source: str, operator: str, left: Any, right: Any) -> str:
    """The message of a comparison that is false."""
    tester = TestCase()
    tester.maxDiff = None
    difference = f"{left!r}, {right!r}"
    try:
        getattr(tester, METHODS[operator])(left, right)
    except AssertionError as error:
        difference = str(error)
    return _shortened(f"assert {source}: {difference}")


def evaluated(source: str, value: Any) -> str:
    """The message of another assertion: `value` is that of the expression, without `not`."""
    return _shortened(f"assert {source}: {source.removeprefix('not ')} is {value!r}")


def _shortened(message: str) -> str:
    return message if len(message) <= LONGEST else message[:LONGEST] + "…"
