"""Every source file with code in it has its test twin: `src/thorp/a/b.py` and `tests/a/test_b.py`.

Code means a function that does something. Files of declarations only (settings, messages, Protocols, tables) are read
by other checks, and a twin for them would be filler.
"""

import ast
from pathlib import Path

from tools.meta.source import functions, python_files, syntax


def missing_twins(root: Path) -> dict[str, str]:
    package = root / "src/thorp"
    missing: dict[str, str] = {}
    for path in python_files(package):
        inside = path.relative_to(package)
        twin = Path("tests") / inside.with_name(f"test_{inside.stem.strip('_')}.py")
        if has_code(syntax(path)) and not (root / twin).is_file():
            missing[str(path.relative_to(root))] = f"has no test twin {twin}"
    return missing


def has_code(tree: ast.Module) -> bool:
    return any(does_something(statement) for function in functions(tree) for statement in function.body)


def does_something(statement: ast.stmt) -> bool:
    """Anything but a docstring, `...` and `pass`."""
    is_constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return not is_constant and not isinstance(statement, ast.Pass)
