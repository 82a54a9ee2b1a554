"""What members see: whole, not gated, not kept back. Nothing else is listed or given away."""

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.neighbourly import a_neighbour, receipt_of, sealed_as
from tests.models.pulling import FILE, REPO
from tests.models.world import opened
from thorp.base.errors import NotAllowedError
from thorp.identity.principals import keyed
from thorp.identity.scopes import EVERY_SCOPE
from thorp.models.layout import PUBLICATION, digest_of
from thorp.models.library import Library
from thorp.models.receipts import Origin, Receipt
from thorp.models.shared import LOOK_AGAIN, NotSharedError, Shared, is_kept_back, keep_back
from thorp.models.types import SourceKind
from thorp.testing.clock import FakeClock
from thorp.testing.hub import FakeHub
from thorp.testing.library import a_library, an_artifact, git_name
from thorp.wire.shared import list_digest

INFOHASH = "d" * 40
WEIGHTS = b"weights" * 1000
SHA = hashlib.sha256(WEIGHTS).hexdigest()
FILES = {FILE: WEIGHTS, "config.json": b"{}"}
FROM_HUB = Origin(SourceKind.HUB, "hub.example")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shared(library: Library, clock: FakeClock) -> Shared:
    return Shared(library, clock, lambda: True)


def with_torrent(library: Library, **more: object) -> Receipt:
    return sealed_as(library, an_artifact(library, REPO, FILES, **({"source": FROM_HUB} | more)), INFOHASH)


def test_a_model_is_listed_with_every_file_and_the_name_of_its_blob(library: Library, shared: Shared) -> None:
    receipt = with_torrent(library)
    (model,) = shared.models()
    weights, config = model.files

    assert (model.repo, model.revision, model.artifact) == (REPO, receipt.revision, receipt.artifact)
    assert (model.added, model.size_bytes, model.publication) == (receipt.downloaded_at, receipt.size_bytes, None)
    assert (weights.sha256, weights.blob, weights.infohash) == (SHA, SHA, INFOHASH)
    assert (config.sha256, config.blob) == (hashlib.sha256(b"{}").hexdigest(), git_name(b"{}"))


def test_newest_first_and_the_digest_follows(library: Library, shared: Shared) -> None:
    an_artifact(library, "org/old", downloaded_at="2020-01-01T00:00:00.000Z")
    before = list_digest(shared.models())
    an_artifact(library, "org/new", downloaded_at="2030-01-01T00:00:00.000Z")

    assert [one.repo for one in shared.models()] == ["org/new", "org/old"]
    assert list_digest(shared.models()) != before


def test_gated_damaged_and_incomplete_models_and_those_kept_back_are_not_shown(
    library: Library, shared: Shared
) -> None:
    kept = an_artifact(library, "org/kept", FILES)
    an_artifact(library, "org/gated", FILES, gated=True)
    library.note_damage(an_artifact(library, "org/damaged", FILES), damaged=True)
    gone = an_artifact(library, "org/gone", FILES)
    library.layout.blob("org/gone", digest_of(gone.files[0].sha256)).unlink()
    assert [one.repo for one in shared.models()] == ["org/kept"]

    keep_back(library, kept, kept=True)
    assert is_kept_back(library, kept)
    assert shared.models() == ()
    assert not shared.blob(SHA).shareable
    assert shared.blob(SHA).path == ""

    keep_back(library, kept, kept=False)
    assert len(shared.models()) == 1
    assert Path(shared.blob(SHA).path).read_bytes() == WEIGHTS


def test_with_sharing_off_nothing_is_shown(library: Library, clock: FakeClock) -> None:
    with_torrent(library)
    shared = Shared(library, clock, lambda: False)

    assert shared.models() == ()
    assert not shared.blob(SHA).shareable
    assert shared.seeds() == {}
    with pytest.raises(NotSharedError):
        shared.torrent(INFOHASH)


def test_what_is_removed_is_neither_shown_nor_remembered_as_kept_back(library: Library, shared: Shared) -> None:
    receipt = an_artifact(library, REPO, FILES)
    keep_back(library, receipt, kept=True)
    library.drop(receipt)

    assert not library.path(receipt).parent.exists()
    assert not is_kept_back(library, an_artifact(library, REPO, FILES))
    assert len(shared.models()) == 1


def test_bytes_of_a_hash_nobody_has_are_not_there(shared: Shared) -> None:
    with pytest.raises(NotSharedError):
        shared.blob("0" * 64)


def test_a_new_model_is_found_by_its_hash_soon(library: Library, shared: Shared, clock: FakeClock) -> None:
    with pytest.raises(NotSharedError):
        shared.blob(SHA)
    an_artifact(library, REPO, FILES)
    clock.advance(LOOK_AGAIN + 0.1)

    assert shared.blob(SHA).shareable


def test_what_is_listed_is_given_at_once(library: Library, shared: Shared) -> None:
    with pytest.raises(NotSharedError):
        shared.blob(SHA)
    with_torrent(library)

    assert len(shared.models()) == 1
    assert shared.blob(SHA).shareable
    assert shared.torrent(INFOHASH)


def test_a_torrent_is_given_for_what_a_hub_gives_to_everybody(library: Library, shared: Shared) -> None:
    with_torrent(library)

    assert shared.torrent(INFOHASH) == b"d4:infodee"
    assert list(shared.seeds()) == [INFOHASH]
    assert shared.seeds()[INFOHASH].read_bytes() == WEIGHTS


@pytest.mark.parametrize("kind", [SourceKind.IMPORT, SourceKind.GIT])
def test_what_was_imported_rides_no_torrent_until_it_is_published(
    library: Library, shared: Shared, kind: SourceKind
) -> None:
    receipt = with_torrent(library, source=Origin(kind))
    assert [one.infohash for one in shared.models()[0].files] == [None, None]
    assert shared.seeds() == {}
    with pytest.raises(NotSharedError):
        shared.torrent(INFOHASH)
    assert shared.blob(SHA).shareable  # over the mesh

    library.path(receipt).with_name(PUBLICATION).write_text(json.dumps({"publication": {"v": 1}}))
    (model,) = shared.models()
    assert (model.publication, model.files[0].infohash) == ({"publication": {"v": 1}}, INFOHASH)
    assert shared.torrent(INFOHASH) == b"d4:infodee"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"size": 1.5}', "[" * 100_000])
def test_a_manifest_that_is_none_is_left_out(library: Library, shared: Shared, text: str) -> None:
    library.path(with_torrent(library)).with_name(PUBLICATION).write_text(text)

    assert shared.models()[0].publication is None


def test_the_mesh_of_this_node_asks_over_the_bus_and_no_key_does(tmp_path: Path) -> None:
    neighbour = a_neighbour(tmp_path, "home")  # the home of this very node

    async def story() -> None:
        (tmp_path / "home" / "data").mkdir(exist_ok=True)
        async with opened(tmp_path, FakeHub(port=1)) as world:
            told = await world.ask("model.heads")
            assert told["digest"] == list_digest(neighbour.shared.models())
            assert [one["repo"] for one in told["models"]] == [REPO]
            sha256 = receipt_of(neighbour).files[0].sha256
            assert (await world.ask("model.blob", sha256=sha256))["shareable"]
            with pytest.raises(NotSharedError):
                await world.ask("model.torrent", infohash="a" * 40)
            for name in ("model.heads", "model.blob", "model.torrent"):
                with pytest.raises(NotAllowedError):
                    await world.ask(name, keyed("k", frozenset(EVERY_SCOPE)))

    asyncio.run(story())


def test_a_model_that_no_list_can_hold_is_left_out(library: Library, shared: Shared) -> None:
    receipt = an_artifact(library, REPO, FILES)
    library.put(replace(receipt, quant="x" * 300))

    assert shared.models() == ()


def test_a_long_licence_hides_no_model_and_what_cannot_be_listed_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library = a_library(tmp_path)
    an_artifact(library, "org/long", license="l" * 300)
    an_artifact(library, "org/odd", quant="q" * 300)
    shared = Shared(library, FakeClock(), lambda: True)

    for _ in range(2):
        assert [(one.repo, len(one.license or "")) for one in shared.models()] == [("org/long", 255)]
    assert caplog.text.count("cannot be listed") == 1
