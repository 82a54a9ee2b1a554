"""Cheap guards over the text of the repository: words that must never land, and suppressions that only get fewer."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.meta.source import python_files, syntax, text_of

# Written with character classes, so that this file does not contain what it forbids.
FORBIDDEN: Mapping[str, re.Pattern[str]] = {
    "the address of a package registry": re.compile(
        r"p[y]pi\.org|p[y]thonhosted\.org|n[p]mjs\.(?:org|com)|deb\.d[e]bian\.org|c[r]ates\.io"
    ),
    "a path of somebody's machine": re.compile(r"(?<![\w.$}/-])/(?:home|Users|r[o]ot)/[A-Za-z0-9_.]"),
    "an unfinished end": re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b"),
}
SUPPRESSION = re.compile(
    r"#\s*(?:(?:(?:ruff|flake8):\s*)?noqa|type:\s*ignore|(?:based)?pyright:|pragma:\s*no|fmt:\s*\w).*"
    r"|(?:eslint-disable|@ts-)\w+.*"
)
REASONED = re.compile(r"#\s*(?:noqa: [A-Z0-9, ]+|pyright: ignore\[\w+(?:, \w+)*\])  \(.+\)")
BROAD = {"Exception", "BaseException"}


def forbidden_words(path: Path) -> list[str]:
    text = text_of(path) or ""
    return [
        f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {what}: {found.group()}"
        for what, pattern in FORBIDDEN.items()
        for found in pattern.finditer(text)
    ]


def suppressions(path: Path) -> list[str]:
    """Every mark that tells a checker to look away."""
    return SUPPRESSION.findall(text_of(path) or "")


def unreasoned(path: Path) -> list[str]:
    """Suppressions that do not name a rule and give a reason: `# noqa: S105  (a kind of principal, not a secret)`."""
    return [f"{path}: {mark}" for mark in suppressions(path) if not REASONED.fullmatch(mark)]


def broad_handlers(folder: Path) -> dict[str, str]:
    """Files that catch everything, by path below `folder`."""
    return {
        str(path.relative_to(folder)): f"catches everything in line {lines[0]}"
        for path in python_files(folder)
        if (lines := sorted(catching_lines(syntax(path))))
    }


def catching_lines(tree: ast.Module) -> Iterator[int]:
    """Where everything is caught and kept; tidying up and raising on is no catching."""
    for node in ast.walk(tree):
        match node:
            case ast.ExceptHandler(type=caught, body=[*_, last]):
                is_broad = caught is None or bool(names(caught) & BROAD)
                if is_broad and not (isinstance(last, ast.Raise) and last.exc is None):
                    yield node.lineno
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=args):
                if any(names(one) & BROAD for one in args):
                    yield node.lineno
            case _:
                pass


def names(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
