"""A hub with models on it, homes that pull from it, and what has to be true of a home afterwards."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from thorp.models.layout import repo_folder
from thorp.testing.gguf import projector_gguf, tiny_gguf
from thorp.testing.hub import Content, FakeHub, content_of
from thorp.testing.process import PATIENCE, NodeProcess, environment_of, processes_of, until
from thorp.testing.safetensors import tiny_config, tiny_safetensors

MIB: Final = 1024 * 1024
ONE: Final = "org/Tiny-1B-GGUF"  # one quantisation
ONE_FILE: Final = "Tiny-1B-Q4_K_M.gguf"
MANY: Final = "TheBloke/Mistral-7B-Instruct-v0.2-GGUF"  # several, and the most downloaded
MANY_FILE: Final = "mistral-7b-instruct-v0.2.{}.gguf"
QUANTS: Final = ("Q2_K", "Q4_K_M", "Q8_0")
LESS: Final = "small/Mistral-7B-Instruct-v0.3-GGUF"
PARTS: Final = "org/Parted-3B-GGUF"
PARTS_FILES: Final = tuple(f"Parted-3B-Q4_K_M-0000{number}-of-00003.gguf" for number in (1, 2, 3))
FOLDER: Final = "org/Plain-2B"
FOLDER_FILES: Final = ("config.json", "model.safetensors", "tokenizer.json")
SEEING: Final = "org/Seeing-4B-GGUF"
SEEING_FILES: Final = ("Seeing-4B-Q4_K_M.gguf", "mmproj-Seeing-4B-F16.gguf")
WORKING: Final = ("queued", "resolving", "active", "verifying")

Row = dict[str, Any]


def a_model(folder: Path, name: str = ONE_FILE, size: int | None = None, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return tiny_gguf(folder / name, pad_to=size, seed=seed)[0]


def stock(folder: Path) -> dict[str, dict[str, Content]]:
    """Every kind of repository there is, with small files."""
    many = [a_model(folder / "many", MANY_FILE.format(quant), seed=at) for at, quant in enumerate(QUANTS)]
    folder.mkdir(parents=True, exist_ok=True)
    parts = tiny_gguf(folder / "Parted-3B-Q4_K_M.gguf", shards=3, seed=5)
    plain = folder / "plain"
    plain.mkdir(parents=True)
    tiny_safetensors(plain / FOLDER_FILES[1], seed=6, tensors={"model.embed_tokens.weight": (640, 32)})
    tiny_config(plain / FOLDER_FILES[0])
    (plain / FOLDER_FILES[2]).write_text('{"version": "1.0"}')
    seeing = [a_model(folder, SEEING_FILES[0], seed=7), projector_gguf(folder / SEEING_FILES[1])]
    made: dict[str, Iterable[Path]] = {
        ONE: [a_model(folder)],
        MANY: many,
        LESS: [a_model(folder, "Mistral-7B-Instruct-v0.3-Q4_K_M.gguf", seed=9)],
        PARTS: parts,
        FOLDER: [plain / name for name in FOLDER_FILES],
        SEEING: seeing,
    }
    return {repo: {one.name: content_of(one) for one in files} for repo, files in made.items()}


def fill(hub: FakeHub, stocked: Mapping[str, Mapping[str, Content]]) -> None:
    for repo, files in stocked.items():
        downloads = {MANY: 1000, LESS: 10}.get(repo, 1)
        hub.add(repo, {"README.md": b"# A model\n", **files}, license="apache-2.0", downloads=downloads)


@dataclass(frozen=True)
class Home:
    """One home as it is seen from here, and the hub it asks. `folder` is another models folder than the home's own."""

    at: Path
    hub: FakeHub
    variables: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    inside: Path | None = None  # where it is for processes that see other disks
    through: tuple[str, ...] = ()  # what begins such a process

    @property
    def given(self) -> dict[str, str]:
        return {"HF_ENDPOINT": self.hub.url} | self.variables

    @property
    def models(self) -> Path:
        return self.folder or self.at / "hub"

    def run(self, *words: str, **more: str) -> dict[str, Any]:
        """What begins a command line."""
        environment = environment_of(self.inside or self.at, **self.given | more)
        return {"args": [*self.through, sys.executable, "-m", "thorp", *words], "env": environment, "text": True}

    def thorp(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(**self.run(*words, **more), input="", capture_output=True, timeout=PATIENCE, check=False)

    def pull(self, *words: str, **more: str) -> Row:
        """Pull, which has to succeed; answers with the receipt."""
        told = self.thorp("pull", *words, "--json", **more)
        assert told.returncode == 0, told.stderr
        answer = json.loads(told.stdout.splitlines()[-1])
        assert answer["state"] == "done"
        return self.receipt_of(answer)

    def refused(self, *words: str, code: int, says: str, **more: str) -> str:
        """Pull, which has to fail with this exit code and in these words; answers with what it said."""
        told = self.thorp("pull", *words, **more)
        assert (told.returncode, says.lower() in told.stderr.lower()) == (code, True), told
        assert told.stdout == ""
        return told.stderr

    def receipt_of(self, answer: Row) -> Row:
        wanted = ("repo", "revision", "model_id")
        return next(one for one in self.receipts() if all(one[name] == answer[name] for name in wanted))

    def receipts(self) -> list[Row]:
        return [json.loads(one.read_bytes()) for one in sorted(self.at.glob("data/receipts/**/metadata.json"))]

    def blobs(self) -> list[str]:
        """What stands under the name of its hash."""
        return sorted(one.name for one in self.models.glob("models--*/blobs/*"))

    def own(self, kind: str) -> list[Path]:
        """What lies in Thorp's own corner of any repository: `partial`, `quarantine`."""
        return sorted(self.models.glob(f"models--*/.thorp/{kind}/*"))

    def records(self) -> list[Row]:
        return [json.loads(one.read_bytes()) for one in sorted(self.at.glob("data/transfers/*.json"))]

    def noted(self) -> int:
        """Bytes of files on their way that are here, as the notes beside them say."""
        found = [one / "progress.json" for one in self.own("partial")]
        spans = [json.loads(one.read_bytes())["here"] for one in found if one.exists()]
        return sum((end - first) * MIB for span in spans for first, end in span)

    def file(self, receipt: Row, path: str) -> Path:
        return self.models / repo_folder(receipt["repo"]) / "snapshots" / receipt["revision"] / path

    def proven(self, receipt: Row, files: Mapping[str, Content]) -> None:
        """Every file lies where huggingface_hub looks for it, with the bytes that the receipt and the hub name."""
        assert {one["path"] for one in receipt["files"]} == set(files)
        for one in receipt["files"]:
            at, content = self.file(receipt, one["path"]), files[one["path"]]
            assert hashlib.sha256(at.read_bytes()).hexdigest() == one["sha256"] == content.sha256
            assert at.stat().st_size == one["size"] == content.size
            name = content.sha256 if content.is_large else content.blob
            assert at.is_symlink()
            assert str(at.readlink()) == f"../../blobs/{name}"
        if receipt["version"] != receipt["revision"]:
            ref = self.models / repo_folder(receipt["repo"]) / "refs" / receipt["version"]
            assert ref.read_text() == receipt["revision"]

    def settled(self) -> None:
        """One legal state: nothing half done, and nothing that says it is being done."""
        assert self.own("partial") == []
        assert [one for one in self.records() if one["state"] in WORKING] == []
        for receipt in self.receipts():
            for one in receipt["files"]:
                found = hashlib.sha256(self.file(receipt, one["path"]).read_bytes()).hexdigest()
                assert found == one["sha256"]

    def nothing_installed(self) -> None:
        assert (self.receipts(), self.blobs()) == ([], [])

    @contextmanager
    def pulling(self, *words: str, **more: str) -> Generator["subprocess.Popen[str]"]:
        """`thorp pull … --json` while it runs; whatever is left of it at the end is killed."""
        with subprocess.Popen(
            **self.run("pull", *words, "--json", **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()
        assert processes_of(process.pid) == set()

    def until_noted(self, count: int) -> None:
        until(lambda: self.noted() >= count, f"{count} bytes are here")

    def transfer(self) -> str:
        """The id of the newest transfer."""
        return until(lambda: max((one["id"] for one in self.records()), default=""), "there is a transfer")


def ended(process: "subprocess.Popen[str]") -> tuple[int, list[Row], str]:
    """Exit code, what a pull told line by line, and its stderr."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, [json.loads(line) for line in out.splitlines()], err


def followed(node: NodeProcess, transfer: str) -> Row:
    """A transfer of a node, once it rests."""
    path = f"/api/v1/transfers/{transfer}"

    def resting() -> Row | None:
        row = node.owner().request("GET", path).data
        return None if row["state"] in WORKING else row

    return until(resting, "the transfer rests")


def twice(before: Iterable[tuple[int, int]], after: Iterable[tuple[int, int]]) -> int:
    """How many bytes of the spans `after` were in the spans `before` already."""
    known, count = sorted(before), 0
    merged: list[tuple[int, int]] = []
    for first, end in known:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((first, end))
    for first, end in after:
        count += sum(max(0, min(end, stop) - max(first, start)) for start, stop in merged)
    return count
