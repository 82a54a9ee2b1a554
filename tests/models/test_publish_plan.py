"""Who may share what, which words go together, and what the manifest says."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from thorp.identity.keys import NodeKey
from thorp.identity.principals import keyed, owner
from thorp.identity.scopes import EVERY_SCOPE
from thorp.models.library import Kept
from thorp.models.publish_plan import (
    GATED,
    KEPT_BACK,
    NO_LICENSE,
    NOT_BY_NAME,
    NOT_FROM_A_HUB,
    Kind,
    Manifest,
    NotShareableError,
    OwnersAloneError,
    ShareWordsError,
    Terms,
    kind_of,
    manifest_of,
    refuse_for,
    refuse_if_unshared,
    refuse_unless_shareable,
    terms_of,
    torrents_of,
    why_not,
)
from thorp.models.receipts import Origin
from thorp.models.types import SourceKind
from thorp.swarm.bencoded import LARGEST
from thorp.swarm.recipes import BadPieceLengthError
from thorp.testing.library import a_library, an_artifact
from thorp.wire.capabilities.publishing import ShareRequest
from thorp.wire.publication import Hint

KEY = keyed("k", EVERY_SCOPE)
ME = NodeKey(bytes(32))


def asked(**given: Any) -> ShareRequest:
    return ShareRequest.model_validate(given)


def kept(tmp_path: Path, missing: str = "", **more: Any) -> Kept:
    return Kept(an_artifact(a_library(tmp_path), **more), missing)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"ref": "a"}, Kind.REF),
        ({"ref": "a", "public": True, "piece_length": 1 << 22}, Kind.REF),
        ({"path": "/a", "name": "o/m", "license": "mit"}, Kind.PATH),
        ({"git": "https://h/o/m", "branch": "b", "skip_lfs": True}, Kind.GIT),
        ({"all": True, "sign": False}, Kind.ALL),
    ],
)
def test_one_thing_is_shared(given: dict[str, Any], kind: Kind) -> None:
    assert kind_of(asked(**given)) is kind


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ref": "a", "all": True},
        {"path": "/a", "git": "https://h/o/m", "name": "o/m", "license": "mit"},
        {"path": "/a", "name": "o/m"},
        {"path": "/a", "license": "mit"},
        {"ref": "a", "name": "o/m"},
        {"all": True, "name": "o/m"},
        {"ref": "a", "branch": "main"},
        {"all": True, "skip_lfs": True},
        {"ref": "a", "piece_length": 1 << 22},
        {"ref": "a", "public": True, "sign": False},
    ],
)
def test_words_that_do_not_go_together_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ShareWordsError):
        kind_of(asked(**given))


def test_a_piece_length_is_a_power_of_two() -> None:
    with pytest.raises(BadPieceLengthError):
        kind_of(asked(ref="a", public=True, piece_length=5_000_000))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Kind.PATH, {"path": "/a"}),
        (Kind.GIT, {"git": "https://h/o/m"}),
        (Kind.ALL, {"all": True}),
        (Kind.REF, {"ref": "a", "public": True}),
    ],
)
def test_a_key_shares_a_ref_with_the_household_and_nothing_else(kind: Kind, given: dict[str, Any]) -> None:
    with pytest.raises(OwnersAloneError):
        refuse_for(KEY, kind, asked(**given))
    refuse_for(owner(), kind, asked(**given))
    refuse_for(KEY, Kind.REF, asked(ref="a"))


def test_a_signature_is_the_owners_to_give() -> None:
    assert terms_of(asked(ref="a"), owner()).manifest is Manifest.WRITE
    assert terms_of(asked(ref="a", sign=False), owner()).manifest is Manifest.NONE
    assert terms_of(asked(ref="a"), KEY).manifest is Manifest.KEEP


def test_terms_say_what_was_said() -> None:
    terms = terms_of(
        asked(ref="a", public=True, piece_length=1 << 20, skip_dht=True, version="2", hints={"temperature": "0.7"}),
        owner(),
    )

    assert (terms.public, terms.piece, terms.dht, terms.version) == (True, 1 << 20, False, "2")
    assert terms.hints == (Hint(name="temperature", value="0.7"),)
    with pytest.raises(ShareWordsError):
        terms_of(asked(ref="a", hints={"No Name": "x"}), owner())


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("terms", [Terms(), Terms(public=True, license="mit"), Terms(manifest=Manifest.KEEP)])
def test_B34_gated_models_are_shared_with_nobody(tmp_path: Path, terms: Terms, kind: Kind) -> None:
    gated = kept(tmp_path, gated=True, license="mit")

    assert why_not(gated, terms, kind) == GATED
    with pytest.raises(NotShareableError):
        refuse_unless_shareable(gated, terms, kind)


def test_why_a_model_is_not_shared(tmp_path: Path) -> None:
    plain = kept(tmp_path)
    own = kept(tmp_path, repo="org/own", source=Origin(SourceKind.IMPORT))

    assert why_not(plain, Terms(), Kind.REF) == ""
    assert why_not(plain, Terms(public=True), Kind.REF) == NO_LICENSE
    assert why_not(plain, Terms(public=True, license="mit"), Kind.REF) == ""
    assert why_not(kept(tmp_path, "gone"), Terms(), Kind.REF) == "gone"
    assert "apache-2.0, not mit" in why_not(kept(tmp_path, license="apache-2.0"), Terms(license="mit"), Kind.REF)
    assert why_not(kept(tmp_path, license="MIT"), Terms(license="mit"), Kind.REF) == ""
    assert (why_not(own, Terms(), Kind.REF), why_not(own, Terms(), Kind.ALL)) == ("", NOT_BY_NAME)


def test_everything_is_no_word_for_what_its_owner_kept_back(tmp_path: Path) -> None:
    plain = kept(tmp_path)

    assert why_not(plain, Terms(), Kind.ALL, kept_back=True) == KEPT_BACK
    assert why_not(plain, Terms(), Kind.REF, kept_back=True) == ""
    with pytest.raises(NotShareableError):
        refuse_unless_shareable(plain, Terms(), Kind.ALL, kept_back=True)


@pytest.mark.parametrize(
    "more",
    [
        {"claimed_by": "mia"},
        {"source": Origin(SourceKind.LAN, "mia"), "claimed_by": "mia"},
        {"source": Origin(SourceKind.LAN, "mia")},
        {"source": Origin(SourceKind.SWARM)},
    ],
)
def test_everything_for_everybody_is_what_a_hub_gave(tmp_path: Path, more: dict[str, Any]) -> None:
    public, unconfirmed = Terms(public=True, license="mit"), kept(tmp_path, **more)

    assert why_not(unconfirmed, public, Kind.ALL) == NOT_FROM_A_HUB
    assert why_not(unconfirmed, public, Kind.REF) == ""
    assert why_not(unconfirmed, Terms(), Kind.ALL) == ""
    assert why_not(kept(tmp_path, repo="org/hubs"), public, Kind.ALL) == ""


def test_a_torrent_that_nobody_would_read_is_not_made(tmp_path: Path) -> None:
    receipt = an_artifact(a_library(tmp_path), license="mit")
    piece = 1 << 14
    for pieces, too_many in ((110_000, False), (LARGEST // 52, True)):
        large = replace(receipt, files=(replace(receipt.files[0], size=pieces * piece),))
        public = Terms(public=True, piece=piece)
        assert ("larger" in why_not(Kept(large), public, Kind.REF)) is too_many
        assert why_not(Kept(large), replace(public, piece=2 * piece), Kind.REF) == ""
        assert why_not(Kept(large), Terms(), Kind.REF) == ""


def test_the_later_word_counts(tmp_path: Path) -> None:
    receipt = kept(tmp_path).receipt

    refuse_if_unshared(receipt, None, None)
    refuse_if_unshared(receipt, 1, 1)
    refuse_if_unshared(receipt, 1, None)  # somebody else shared it, too
    for before in (None, 1):
        with pytest.raises(NotShareableError, match="was unshared"):
            refuse_if_unshared(receipt, before, 2)


def test_what_no_manifest_can_say_is_not_shared(tmp_path: Path) -> None:
    receipt = kept(tmp_path, license="l" * 300).receipt

    with pytest.raises(NotShareableError, match=r"`license`"):
        manifest_of(receipt, Terms(), (), ME.node_id, "now")


def test_the_manifest_says_what_the_receipt_says(tmp_path: Path) -> None:
    receipt = kept(tmp_path, torrents=True, license="mit", context_length=9, parameters=7).receipt
    terms = Terms(version="2", description="d", tags=("t",), dht=False)
    said = manifest_of(receipt, terms, torrents_of(receipt), ME.node_id, "now")

    assert (said.name, said.version, said.model_id) == ("org/repo", "2", receipt.model_id)
    assert (said.license, said.context, said.parameters, said.quant) == ("mit", 9, 7, "q4_k_m")
    assert (said.description, said.tags, said.dht, said.publisher, said.created) == (
        "d",
        ("t",),
        False,
        ME.node_id,
        "now",
    )
    assert [(one.path, one.size, one.sha256) for one in said.files] == [
        (one.path, one.size, one.sha256) for one in receipt.files
    ]
    assert [one.infohash for one in said.torrents] == [receipt.files[0].infohash]
    assert manifest_of(kept(tmp_path).receipt, Terms(), (), ME.node_id, "now").version == "main"
