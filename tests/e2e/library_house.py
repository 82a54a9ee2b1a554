"""A home with models, the hub they come from, and the three faces of its library: alone, with a node, REST."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from thorp.cli.answered import EXIT_CODES
from thorp.net.blocking import Answer
from thorp.testing.gguf import tiny_gguf
from thorp.testing.hub import FakeHub
from thorp.testing.process import PATIENCE, NodeProcess, environment_of, run_thorp, running_node, until

PIECE: Final = 16 * 1024 * 1024
Finished = subprocess.CompletedProcess[str]
RESTING: Final = frozenset({"done", "failed", "cancelled", "paused"})


def gguf(folder: Path, name: str, **wishes: Any) -> Path:
    """A small model in a file."""
    folder.mkdir(parents=True, exist_ok=True)
    tiny_gguf(folder / name, **wishes)
    return folder / name


@dataclass(frozen=True)
class Told:
    """What a face answered: the exit code it stands for, and the answer, or the code of the error."""

    code: int
    data: Any


@dataclass(frozen=True)
class Verb:
    """One request in the words of the command line and in those of REST."""

    words: tuple[str, ...]
    method: str
    path: str
    body: dict[str, Any] | None = None

    def alone(self, home: "Home") -> Told:
        return told(home.thorp(*self.words, "--json"))

    def by_rest(self, node: NodeProcess) -> Told:
        answer = node.owner().request(self.method, f"/api/v1/{self.path}", self.body)
        if answer.status >= 400:
            return Told(EXIT_CODES[answer.status], answer.data["error"]["code"])
        return Told(0 if answer.data.get("ok", True) else 6, answer.data)


def told(done: Finished) -> Told:
    """What a command with `--json` said."""
    if done.returncode and not done.stdout:
        return Told(done.returncode, json.loads(done.stderr)["error"]["code"])
    return Told(done.returncode, json.loads(done.stdout))


@dataclass
class Home:
    """A home and its hub. Commands go to its node when one runs, else they work alone."""

    folder: Path
    hub: FakeHub
    more: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def variables(self) -> dict[str, str]:
        return {"HF_ENDPOINT": self.hub.url} | self.more

    def thorp(self, *words: str, **more: str) -> Finished:
        return run_thorp(self.folder, *words, **(self.variables | more))

    def ok(self, *words: str, **more: str) -> Any:
        """The answer of a command that has to succeed."""
        done = self.thorp(*words, "--json", **more)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def fails(self, *words: str, **more: str) -> tuple[int, dict[str, Any]]:
        """Exit code and error of a command that has to fail."""
        done = self.thorp(*words, "--json", **more)
        assert done.returncode, (words, done.stdout)
        return done.returncode, json.loads(done.stderr)["error"]

    def pull(self, *words: str, **more: str) -> dict[str, Any]:
        done = self.thorp("pull", *words, "--json", **more)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def models(self) -> list[dict[str, Any]]:
        return self.ok("models")["models"]

    def stored(self, repo: str) -> Path:
        return self.folder / "hub" / f"models--{repo.replace('/', '--')}"

    def blob(self, ref: str, path: str = "") -> Path:
        """Where the bytes of a model's file lie; of its first one when none is named."""
        return self.entry(ref, path).resolve()

    def entry(self, ref: str, path: str = "") -> Path:
        files = self.ok("models", "show", ref)["files"]
        return Path(next(one["at"] for one in files if path in ("", one["path"])))

    def receipt(self, ref: str) -> Path:
        return Path(self.ok("models", "show", ref)["receipt"])

    @contextmanager
    def node(self, **more: str) -> Generator[NodeProcess]:
        with running_node(self.folder, **(self.variables | more)) as node:
            yield node


def download(node: NodeProcess, ref: str, **more: Any) -> Answer:
    return node.owner().request("POST", "/api/v1/models/download", {"ref": ref, **more})


def brought(node: NodeProcess, ref: str, **more: Any) -> dict[str, Any]:
    """What became of a pull by REST; refused at once, its state is `refused`."""
    answer = download(node, ref, **more)
    if answer.status >= 400:
        return {"state": "refused", "error": answer.data["error"], "status": answer.status}
    if answer.data["transfer_id"] is None:
        return answer.data | {"error": None}
    return rested(node, answer.data["transfer_id"])


def rested(node: NodeProcess, transfer: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        row = node.owner().request("GET", f"/api/v1/transfers/{transfer}").data
        return row if row["state"] in RESTING else None

    return until(look, f"the transfer {transfer} comes to rest")


def model_path(ref: str, verb: str = "") -> str:
    return f"models/{quote(ref, safe='/:@')}{verb}"


def flip(path: Path, at: int) -> None:
    """Turn one bit of a file over."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def tree(top: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes; links with where they lead."""
    found: dict[str, bytes] = {}
    for path in sorted(top.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(top))] = b"-> " + str(path.readlink()).encode()
        elif path.is_file():
            found[str(path.relative_to(top))] = path.read_bytes()
    return found


@dataclass
class Room:
    """A mount namespace of its own, in which commands run; what is mounted there nobody else sees."""

    process: "subprocess.Popen[bytes]"

    def run(self, *words: str) -> None:
        subprocess.run(self._inside(words), check=True, timeout=PATIENCE, capture_output=True)

    def thorp(self, home: Path, *words: str, **more: str) -> Finished:
        return subprocess.run(
            self._inside((sys.executable, "-m", "thorp", *words)),
            env=environment_of(home, **more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def see(self, path: Path) -> Path:
        """The same place as it is in the room."""
        return Path(f"/proc/{self.process.pid}/root") / path.relative_to("/")

    def _inside(self, words: tuple[str, ...]) -> list[str]:
        return ["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt", "--", *words]


@contextmanager
def room() -> Generator[Room]:
    """Needs root, and `unshare`, `nsenter` and `mount` of util-linux."""
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready; exec sleep infinity"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "this test needs `unshare` of util-linux, and to be root"
        yield Room(process)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


HF = """
import sys
from huggingface_hub import hf_hub_download
print(hf_hub_download(sys.argv[1], sys.argv[2], cache_dir=sys.argv[3]))
"""


def fetch_by_hf(hub: FakeHub, repo: str, name: str, cache: Path, **more: str) -> Path:
    """What the real `huggingface_hub` fetches, or finds, in this cache."""
    variables = environment_of(cache.parent, **({"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"} | more))
    done = subprocess.run(
        [sys.executable, "-c", HF, repo, name, str(cache)], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
