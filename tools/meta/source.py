"""What the checks read: the files that belong to the repository, and the Python among them as syntax trees."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

NOT_OURS = {".git", ".venv", "node_modules", "__pycache__", "static", "dist", "build"}


def repository_files(root: Path) -> list[Path]:
    """Everything git keeps or would keep; where there is no git, everything but what tools leave behind."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
        return sorted(path for name in names if name and (path := root / name).is_file())
    return sorted(path for path in root.rglob("*") if path.is_file() and not NOT_OURS & set(path.parts))


def python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if not NOT_OURS & set(path.relative_to(folder).parts))


def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def text_of(path: Path) -> str | None:
    """The file as text, or None for pictures and the like."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
