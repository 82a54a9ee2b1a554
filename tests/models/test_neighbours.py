"""Lists of neighbours as they come over the bus: each model is checked, and what cannot be kept is left out."""

import base64
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.models.neighbourly import a_neighbour
from thorp.base.errors import (
    BusyError,
    DeadlineError,
    NetworkError,
    NotFoundError,
    ThorpError,
    TryAgainError,
    UsageError,
)
from thorp.models.neighbours import LanNeighbours, offers_of
from thorp.models.offered import NotAroundError
from thorp.models.types import Format
from thorp.testing.neighbours import FakeNeighbours
from thorp.wire.capabilities.sharing import LanHeads, LanTorrent, NeighbourModels
from thorp.wire.model import Message
from thorp.wire.shared import SharedFile, SharedModel

A = "a" * 64
FILE = SharedFile(path="m.gguf", size=10, sha256=A, blob=A, infohash="d" * 40)
MODEL = SharedModel(
    model_id="tiny:1b:base:q4_k_m",
    repo="org/repo",
    revision="1" * 40,
    version="main",
    artifact="m",
    format="gguf",
    quant="q4_k_m",
    size_bytes=10,
    license="mit",
    added="2026-01-01T00:00:00Z",
    files=(FILE,),
    publication={"v": 1},
)
WEIGHTS = FILE.model_copy(update={"path": "model.safetensors"})
NOT_OF_A_MODEL = (
    "modeling_x.py",
    "x/config.py",
    "pytorch_model.bin",
    "weights.pkl",
    "run.sh",
    "evil.md",
    "json",
    ".so",
)


TROUBLES = (NetworkError("full"), BusyError("full"), DeadlineError("full"), TryAgainError("full"))


def named(path: str) -> SharedFile:
    return FILE.model_copy(update={"path": path})


def listed(*models: SharedModel, name: str = "mia") -> NeighbourModels:
    return NeighbourModels(node="ed25519:x", name=name, models=models)


def a_bus(answer: Callable[[str, Mapping[str, object]], Message]) -> LanNeighbours:
    return LanNeighbours(answer, FakeNeighbours())


def test_what_is_listed_arrives_whole() -> None:
    def answer(name: str, given: Mapping[str, object]) -> Message:
        assert (name, given) == ("lan.heads", {})
        return LanHeads(neighbours=(listed(MODEL),))

    (offer,) = a_bus(answer).models()

    assert (offer.node, offer.name, offer.model_id, offer.repo) == ("ed25519:x", "mia", MODEL.model_id, "org/repo")
    assert (offer.format, offer.quant, offer.rides, offer.publication) == (Format.GGUF, "q4_k_m", True, {"v": 1})
    assert (offer.files[0].sha256, offer.files[0].infohash) == (A, "d" * 40)


@pytest.mark.parametrize(
    "changed",
    [
        {"repo": "../../etc"},
        {"repo": "no-slash"},
        {"version": "../up"},
        {"artifact": "a/b"},
        {"artifact": ".."},
        {"format": "pickle"},
        {"model_id": "Not an id"},
        {"model_id": "tiny:1b"},
        {"added": "yesterday"},
        {"projector": "other.gguf"},
        {"projector": "m.gguf"},
        {"files": (FILE.model_copy(update={"path": "../m.gguf"}),)},
        {"files": (FILE.model_copy(update={"path": "/etc/passwd"}),)},
        {"files": (FILE, FILE)},
        {"files": (FILE, FILE.model_copy(update={"path": "M.gguf"}))},
        {"files": (FILE, FILE.model_copy(update={"path": "m.gguf/x"}))},
        {"files": (FILE.model_copy(update={"blob": "b" * 64}),)},
        {"files": (FILE, FILE.model_copy(update={"path": "modeling.py"}))},
        {"files": (FILE, FILE.model_copy(update={"path": "config.json"}))},
        {"files": (FILE.model_copy(update={"path": "m.safetensors"}),)},
        *({"format": "safetensors", "files": (WEIGHTS, named(path))} for path in NOT_OF_A_MODEL),
    ],
)
def test_E62_a_model_that_could_not_be_kept_is_left_out_and_the_others_stay(changed: dict[str, Any]) -> None:
    assert [one.repo for one in offers_of(listed(MODEL.model_copy(update=changed), MODEL))] == ["org/repo"]


def test_weights_come_with_their_settings() -> None:
    files = (WEIGHTS, *map(named, ("config.json", "tokenizer.model", "1_Pooling/config.json", "merges.txt", "c.jinja")))
    model = MODEL.model_copy(update={"format": "safetensors", "artifact": "_", "files": files})

    assert [len(one.files) for one in offers_of(listed(model))] == [len(files)]


def test_a_name_cannot_move_the_cursor() -> None:
    offer = next(offers_of(listed(MODEL, name="\x1b[2Jmia")))

    assert offer.name.isprintable()
    assert next(offers_of(listed(MODEL, name=""))).name == "ed25519:x"


def test_a_torrent_comes_over_the_bus_or_not_at_all() -> None:
    content = base64.b64encode(b"d4:infodee").decode()
    assert a_bus(lambda *_: LanTorrent(content=content, node="n")).torrent("a" * 40) == b"d4:infodee"
    assert a_bus(lambda *_: LanTorrent(content="!", node="n")).torrent("a" * 40) is None

    def fails(error: Exception) -> Callable[..., Message]:
        def answer(*_: object) -> Message:
            raise error

        return answer

    for trouble in (*TROUBLES, NotFoundError("nobody has it")):
        assert a_bus(fails(trouble)).torrent("a" * 40) is None
    with pytest.raises(UsageError):
        a_bus(fails(UsageError("no infohash"))).torrent("a")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_in_asking_is_nobody_around(trouble: ThorpError) -> None:
    def fails(*_: object) -> Message:
        raise trouble

    with pytest.raises(NotAroundError, match="full"):
        a_bus(fails).models()


def test_bytes_come_over_their_own_way(tmp_path: Path) -> None:
    mia = a_neighbour(tmp_path, files={"m.gguf": b"weights"})
    sha256 = mia.shared.models()[0].files[0].sha256
    neighbours = LanNeighbours(lambda *_: LanHeads(neighbours=()), FakeNeighbours([mia]))
    buffer = bytearray(3)
    with neighbours.read(mia.node, sha256, 2, 5, threading.Event()) as incoming:
        assert incoming.readinto(memoryview(buffer)) == 3

    assert buffer == b"igh"
    assert neighbours.known
