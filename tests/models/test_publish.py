"""Sharing and ceasing to: marks, torrents and manifests as the disk has them afterwards."""

import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest

from thorp.identity.keys import NodeKey
from thorp.models import publish
from thorp.models.hashing import HashingEndedError
from thorp.models.layout import PUBLICATION, UNSHARED, digest_of
from thorp.models.library import Library
from thorp.models.publish import ChangedSinceError, Outcome, Publisher, own_manifest, public_seeds
from thorp.models.publish_plan import Kind, Manifest, NotShareableError, Terms
from thorp.models.receipts import Origin, Receipt, read_receipt
from thorp.models.remove import remove
from thorp.models.types import SourceKind
from thorp.swarm.torrents import parse_torrent
from thorp.testing.clock import FakeClock
from thorp.testing.library import a_library, an_artifact
from thorp.wire.publication import sign_publication, verify_publication

ME = NodeKey(bytes(32))
OTHER = NodeKey(bytes(range(32)))
DATA = b"weights" * 30_000
NAME = "Model-7B-Q4_K_M.gguf"
IMPORTED = Origin(SourceKind.IMPORT)
PUBLIC = Terms(public=True, license="mit", piece=1 << 16)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path)


def a_model(library: Library, **more: Any) -> Receipt:
    return an_artifact(library, files={NAME: DATA, "empty.json": b""}, **more)


def share(
    library: Library, receipt: Receipt, terms: Terms | None = None, stop: threading.Event | None = None
) -> Outcome:
    publisher = Publisher(library, FakeClock(), lambda: ME)
    return publisher.share(receipt, terms or Terms(), Kind.REF, lambda *_: None, stop or threading.Event())


def unshare(library: Library, receipt: Receipt) -> bool:
    return Publisher(library, FakeClock(), lambda: ME).unshare(receipt)


def beside(library: Library, receipt: Receipt) -> set[str]:
    return {one.name for one in library.path(receipt).parent.iterdir()} & {UNSHARED, PUBLICATION}


def torrents(library: Library) -> set[str]:
    return {one.stem for one in library.layout.torrents.glob("*.torrent")}


def test_an_own_model_gets_torrent_and_manifest(library: Library) -> None:
    receipt = a_model(library, source=IMPORTED)
    outcome = share(library, receipt)
    current = read_receipt(library.path(receipt))

    assert beside(library, receipt) == {PUBLICATION}
    assert current == outcome.receipt
    assert [one.infohash is None for one in current.files] == [False, True]
    assert torrents(library) == {current.files[0].infohash}
    assert outcome.signed
    said = verify_publication(outcome.signed)
    assert [one.infohash for one in said.torrents] == [current.files[0].infohash]
    assert own_manifest(library, current, ME.node_id) == said
    assert parse_torrent(library.layout.torrent(digest_of(current.files[0].infohash or "")).read_bytes()).private


def test_pieces_that_were_not_kept_are_made_of_the_file(library: Library) -> None:
    receipt = a_model(library, source=IMPORTED)
    expected = share(library, receipt).receipt.files[0].infohash
    unshare(library, receipt)
    for one in library.path(receipt).parent.glob("*.pieces"):
        one.unlink()

    assert share(library, receipt).receipt.files[0].infohash == expected


def test_ceasing_takes_everything_back(library: Library) -> None:
    receipt = a_model(library, source=IMPORTED)
    share(library, receipt, PUBLIC)

    assert unshare(library, receipt)
    assert beside(library, receipt) == {UNSHARED}
    assert torrents(library) == set()
    assert read_receipt(library.path(receipt)).files == receipt.files
    assert own_manifest(library, receipt, ME.node_id) is None
    assert not unshare(library, receipt)


def test_what_a_hub_gave_keeps_its_household_torrent(library: Library) -> None:
    receipt = a_model(library, torrents=True)
    infohash = receipt.files[0].infohash
    share(library, receipt, PUBLIC)
    unshare(library, receipt)

    assert read_receipt(library.path(receipt)).files == receipt.files
    assert infohash in torrents(library)
    assert len(torrents(library)) == len({one.infohash for one in receipt.files})


def test_a_torrent_that_another_model_needs_stays(library: Library) -> None:
    receipt = a_model(library, source=IMPORTED)
    twin = a_model(library, repo="org/twin", source=IMPORTED)
    infohash = share(library, receipt).receipt.files[0].infohash
    assert share(library, twin).receipt.files[0].infohash == infohash
    unshare(library, receipt)

    assert torrents(library) == {infohash}


def test_a_public_torrent_is_for_everybody_and_has_the_pieces_asked_for(library: Library) -> None:
    receipt = a_model(library)
    outcome = share(library, receipt, PUBLIC)
    assert outcome.signed
    (public,) = [one for one in outcome.signed.publication.torrents if one.recipe == "public"]
    read = parse_torrent(library.layout.torrent(digest_of(public.infohash)).read_bytes())

    assert (read.private, read.piece_length, read.length, read.name) == (False, 1 << 16, len(DATA), NAME)
    assert public.infohash_v2
    (seed,) = public_seeds(library, ME.node_id)
    assert (seed.infohash.hex(), seed.at.read_bytes(), seed.dht) == (public.infohash, DATA, True)


def test_nothing_is_public_without_this_nodes_own_word(library: Library) -> None:
    """A manifest of another, one that was changed, or one of a model that is kept back makes nothing public."""
    receipt = a_model(library)
    outcome = share(library, receipt, PUBLIC)
    at = library.path(receipt).with_name(PUBLICATION)
    own = at.read_bytes()
    assert outcome.signed
    assert public_seeds(library, OTHER.node_id) == ()

    at.write_bytes(own.replace(b'"mit"', b'"isc"'))
    assert public_seeds(library, ME.node_id) == ()
    theirs = outcome.signed.publication.model_copy(update={"publisher": OTHER.node_id})
    at.write_text(sign_publication(theirs, OTHER).model_dump_json())
    assert public_seeds(library, ME.node_id) == ()
    at.write_bytes(own)
    assert len(public_seeds(library, ME.node_id)) == 1
    at.with_name(UNSHARED).touch()
    assert public_seeds(library, ME.node_id) == ()


def test_sharing_again_without_everybody_withdraws_it(library: Library) -> None:
    receipt = a_model(library)
    share(library, receipt, PUBLIC)
    outcome = share(library, receipt)

    assert public_seeds(library, ME.node_id) == ()
    assert torrents(library) == {outcome.receipt.files[0].infohash}


def test_without_a_manifest_an_own_model_rides_no_torrent(library: Library) -> None:
    receipt = a_model(library, source=IMPORTED)
    share(library, receipt)
    outcome = share(library, receipt, Terms(manifest=Manifest.NONE))

    assert (outcome.signed, beside(library, receipt), torrents(library)) == (None, set(), set())
    assert outcome.receipt.files == receipt.files


def test_a_key_lifts_the_mark_and_signs_nothing(library: Library) -> None:
    receipt = a_model(library, source=IMPORTED)
    unshare(library, receipt)
    outcome = share(library, receipt, Terms(manifest=Manifest.KEEP))

    assert (outcome.signed, beside(library, receipt), torrents(library)) == (None, set(), set())


def test_B34_gated_models_stay(library: Library) -> None:
    receipt = a_model(library, gated=True, license="mit")

    for terms in (Terms(), PUBLIC, Terms(manifest=Manifest.KEEP)):
        with pytest.raises(NotShareableError):
            share(library, receipt, terms)
    assert beside(library, receipt) == set()


def test_C42_bytes_that_changed_are_not_published(library: Library) -> None:
    receipt = a_model(library, source=IMPORTED)
    blob = library.layout.blob("org/repo", digest_of(hashlib.sha256(DATA).hexdigest()))
    blob.chmod(0o644)
    blob.write_bytes(b"x" + DATA[1:])

    with pytest.raises(ChangedSinceError):
        share(library, receipt, PUBLIC)
    assert beside(library, receipt) == set()
    assert library.state(receipt).damaged
    with pytest.raises(NotShareableError):
        share(library, receipt)


@pytest.mark.parametrize("kept_before", [False, True])
def test_who_unshares_while_it_is_being_shared_is_heeded(library: Library, *, kept_before: bool) -> None:
    receipt = a_model(library, torrents=True)
    before = torrents(library)
    if kept_before:
        unshare(library, receipt)
    publisher = Publisher(library, FakeClock(), lambda: ME)

    with pytest.raises(NotShareableError, match="was unshared"):
        publisher.share(receipt, PUBLIC, Kind.REF, lambda *_: unshare(library, receipt), threading.Event())
    assert beside(library, receipt) == {UNSHARED}
    assert torrents(library) == before
    assert public_seeds(library, ME.node_id) == ()


def test_a_manifest_that_nobody_would_read_is_not_written(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = a_model(library, torrents=True)
    before = torrents(library)
    said = len(_signed(library, receipt))
    monkeypatch.setattr(publish, "LARGEST", said + 10)  # too few for its public torrent

    with pytest.raises(NotShareableError, match="manifest"):
        share(library, receipt, PUBLIC)
    assert (beside(library, receipt), torrents(library)) == (set(), before)


def _signed(library: Library, receipt: Receipt) -> bytes:
    outcome = share(library, receipt)
    at = library.path(outcome.receipt).with_name(PUBLICATION)
    content = at.read_bytes()
    at.unlink()
    return content


def test_what_is_missing_is_not_shared(library: Library) -> None:
    receipt = a_model(library)
    library.layout.blob("org/repo", digest_of(hashlib.sha256(DATA).hexdigest())).unlink()

    with pytest.raises(NotShareableError):
        share(library, receipt)


def test_it_ends_when_it_is_told_to(library: Library) -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(HashingEndedError):
        share(library, a_model(library), PUBLIC, stop)


def test_a_removed_model_leaves_no_mark(library: Library) -> None:
    receipt = a_model(library)
    share(library, receipt)
    unshare(library, receipt)
    remove(library, receipt)

    assert not library.path(receipt).parent.exists()
