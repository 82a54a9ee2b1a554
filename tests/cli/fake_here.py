"""A machine without a node, as a test wants it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thorp.app.environment import Environment
from thorp.app.paths import Paths
from thorp.base.errors import ThorpError
from thorp.cli.here import Told

Row = dict[str, Any]


@dataclass
class FakeCaller:
    """Answers by name; what it was asked is kept."""

    here: bool = True
    answers: dict[str, list[Row | ThorpError]] = field(default_factory=dict)
    frames: dict[str, list[Row]] = field(default_factory=dict)
    rows: list[Row | BaseException] = field(default_factory=list)
    asked: list[tuple[str, Row]] = field(default_factory=list)
    open: bool = False

    def call(self, name: str, /, **given: object) -> Row:
        assert self.open
        self.asked.append((name, given))
        queue = self.answers[name]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, ThorpError):
            raise answer
        return answer

    def stream(self, name: str, /, **given: object) -> Iterator[tuple[str, Row]]:
        for frame in self.frames.get(name, []):
            yield "frame", frame
        yield "done", self.call(name, **given)

    def follow(self, transfer_id: str) -> Iterator[Row]:
        assert self.open
        for row in self.rows:
            if isinstance(row, BaseException):
                raise row
            assert row["id"] == transfer_id
            yield row


@dataclass
class FakeHere:
    work: FakeCaller = field(default_factory=FakeCaller)
    shelf: Row = field(default_factory=lambda: {"folder": "/models", "models": [], "unreadable": []})
    whole: Row | None = None
    token: str | None = None
    started: list[str] = field(default_factory=list)
    auto_start: bool = True
    start_error: ThorpError | None = None
    exported: list[tuple[str, Path]] = field(default_factory=list)

    @contextmanager
    def caller(self, paths: Paths, environment: Environment) -> Iterator[FakeCaller]:
        self.work.open = True
        try:
            yield self.work
        finally:
            self.work.open = False

    def library(self, paths: Paths, environment: Environment) -> Row:
        return self.shelf

    def complete(
        self, paths: Paths, environment: Environment, ref: str, quant: str | None, revision: str | None
    ) -> Row | None:
        return self.whole

    def export(self, paths: Paths, environment: Environment, ref: str, target: Path, told: Told) -> Row:
        told("a.gguf", 1, 2)
        self.exported.append((ref, target))
        return {"ref": ref, "model_id": "a:1b:base:q4_0", "file": str(target), "size_bytes": 2_000}

    def keep_token(self, paths: Paths, token: str) -> None:
        self.token = token

    def forget_token(self, paths: Paths) -> bool:
        had, self.token = self.token is not None, None
        return had

    def start(self, paths: Paths) -> str:
        assert not self.work.open  # its locks would be in the way
        if self.start_error:
            raise self.start_error
        self.started.append(str(paths.root))
        return "http://127.0.0.1:8737"

    def starts_by_itself(self, paths: Paths, environment: Environment) -> bool:
        return self.auto_start
