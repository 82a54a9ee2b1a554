"""Sharing as it is asked for on the bus: by the owner, by a key, from a folder, from a repository."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.models.adopting import take
from tests.models.repositories import GGUF, NEEDED, a_gguf, git, repository
from thorp.base.clock import SystemRandomness
from thorp.base.errors import ThorpError
from thorp.bus.dispatch import Bus, Order
from thorp.identity.keys import NodeKey
from thorp.identity.principals import Principal, keyed, owner
from thorp.identity.scopes import Scope
from thorp.models.git_fetch import BOUNDS, Bounds
from thorp.models.git_plan import BadAddressError
from thorp.models.layout import PUBLICATION, UNSHARED
from thorp.models.library import Library
from thorp.models.own_folder import NotOnlyFilesError
from thorp.models.publish import Publisher, own_manifest, public_seeds
from thorp.models.publish_plan import (
    HouseholdOffError,
    NotShareableError,
    OwnersAloneError,
    PublicOffError,
    ShareWordsError,
)
from thorp.models.receipts import Origin
from thorp.models.share_desk import NoSeeding, ShareDesk, scratch, share_offers
from thorp.models.stores import Stores
from thorp.models.types import SourceKind
from thorp.models.uses import sole
from thorp.testing.clock import FakeClock, FakeRandomness
from thorp.testing.library import a_library, an_artifact
from thorp.testing.safetensors import tiny_safetensors

ME = NodeKey(bytes(32))
KEY = keyed("k1", frozenset({Scope.MODELS_WRITE}))
READER = keyed("k2", frozenset({Scope.MODELS_READ}))


@dataclass
class Engines:
    """Looks at what everybody may have, whenever it is told to."""

    look: Callable[[], object]
    seen: list[object] = field(default_factory=list)

    def refresh(self) -> None:
        self.seen.append(self.look())


@dataclass
class House:
    """A library with a desk, and a bus to ask it on."""

    top: Path
    bounds: Bounds = BOUNDS
    told: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.library: Library = a_library(self.top / "home")
        self.engines = Engines(lambda: len(public_seeds(self.library, ME.node_id)))
        self.desk = ShareDesk(
            library=self.library,
            stores=Stores(self.library.layout.stores),
            clock=FakeClock(),
            randomness=FakeRandomness(),
            publisher=Publisher(self.library, FakeClock(), lambda: ME),
            seeding=self.engines,
            changed=self.told.append,
            bounds=self.bounds,
        )

    def ask(self, name: str, who: Principal | None = None, /, **given: Any) -> dict[str, Any]:
        async def story() -> dict[str, Any]:
            bus = Bus(FakeClock(), lambda _: None)
            for offer in share_offers(self.desk):
                await bus.register(offer)
            answer = await bus.call(Order(name, who or owner(), given))
            return answer.model_dump(mode="json")

        return asyncio.run(story())

    def left_behind(self) -> list[Path]:
        return list(self.library.layout.stores.with_name("publishing").glob("*"))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def folder_of(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / GGUF).write_bytes(a_gguf(tmp_path))
    return folder


def test_a_model_is_shared_and_kept_back_again(house: House) -> None:
    receipt = an_artifact(house.library, license="mit")
    shared = house.ask("model.share", ref="org/repo", public=True)["shared"]

    assert [(one["model_id"], one["public"], one["publisher"]) for one in shared] == [
        (receipt.model_id, True, ME.node_id)
    ]
    assert house.engines.seen == [1]
    answer = house.ask("model.unshare", ref="org/repo")
    assert (answer["was_public"], house.engines.seen) == (True, [1, 0])
    assert house.told == [(receipt.model_id,)] * 2


def test_everybody_gets_nothing_while_the_owner_hands_nothing_out(house: House) -> None:
    an_artifact(house.library, license="mit")
    house.desk = replace(house.desk, everybody=lambda: False)
    with pytest.raises(PublicOffError, match=r"thorp config set swarm\.public true"):
        house.ask("model.share", ref="org/repo", public=True)
    assert public_seeds(house.library, ME.node_id) == ()
    assert house.ask("model.share", ref="org/repo")["shared"][0]["magnets"] == []


def test_the_household_gets_nothing_while_the_owner_hands_it_nothing(house: House) -> None:
    an_artifact(house.library, license="mit")
    house.desk = replace(house.desk, household=lambda: False)
    with pytest.raises(HouseholdOffError, match=r"thorp config set sharing\.household true"):
        house.ask("model.share", ref="org/repo")
    assert house.ask("model.share", ref="org/repo", public=True)["shared"][0]["public"]


def test_the_licence_that_its_owner_names_is_kept(house: House) -> None:
    receipt = an_artifact(house.library)
    assert receipt.license is None
    house.ask("model.share", ref="org/repo", license="mit")

    assert house.library.one("org/repo").license == "mit"


def test_engines_are_told_even_when_it_fails(house: House) -> None:
    an_artifact(house.library, gated=True)

    with pytest.raises(NotShareableError):
        house.ask("model.share", ref="org/repo")
    assert (house.engines.seen, house.told) == ([0], [])


def test_a_key_shares_with_the_household_and_signs_nothing(house: House) -> None:
    receipt = an_artifact(house.library)
    house.ask("model.unshare", KEY, ref="org/repo")
    beside = house.library.path(receipt)
    assert beside.with_name(UNSHARED).exists()

    (row,) = house.ask("model.share", KEY, ref="org/repo")["shared"]
    assert (row["signed"], row["publisher"]) == (False, None)
    assert not beside.with_name(UNSHARED).exists()
    assert not beside.with_name(PUBLICATION).exists()


@pytest.mark.parametrize(
    "given",
    [
        {"path": "/etc", "name": "o/m", "license": "mit"},
        {"git": "https://h.example/o/m"},
        {"git": "--upload-pack=x"},
        {"all": True},
        {"ref": "org/repo", "public": True},
    ],
)
def test_no_key_shares_a_folder_a_repository_or_with_everybody(house: House, given: dict[str, Any]) -> None:
    an_artifact(house.library, license="mit")

    with pytest.raises(OwnersAloneError):
        house.ask("model.share", KEY, **given)
    with pytest.raises(ThorpError, match="models:write"):
        house.ask("model.share", READER, **given)


def test_everything_that_may_be_shared(house: House, tmp_path: Path) -> None:
    an_artifact(house.library, "org/a")
    an_artifact(house.library, "org/gated", gated=True)
    take(house.library, folder_of(tmp_path), name="me/own")
    answer = house.ask("model.share", all=True)

    assert [one["name"] for one in answer["shared"]] == ["org/a"]
    assert sorted(one["path"].partition("@")[0] for one in answer["skipped"]) == ["me/own", "org/gated"]


def test_everything_leaves_out_what_is_kept_back_and_says_so(house: House) -> None:
    an_artifact(house.library, "org/a", license="mit")
    an_artifact(house.library, "org/kept", license="mit")
    an_artifact(house.library, "org/theirs", license="mit", claimed_by="mia")
    house.ask("model.unshare", ref="org/kept")
    everybody = house.ask("model.share", all=True, public=True)
    household = house.ask("model.share", all=True)

    assert [one["name"] for one in everybody["shared"]] == ["org/a"]
    assert [one["name"] for one in household["shared"]] == ["org/a", "org/theirs"]
    (why,) = [one["reason"] for one in household["skipped"]]
    assert "kept to this node" in why
    assert len(everybody["skipped"]) == 2


def test_one_of_all_that_cannot_be_shared_keeps_the_others_from_nothing(house: House) -> None:
    an_artifact(house.library, "org/a")
    an_artifact(house.library, "org/long", license="l" * 300)
    used = an_artifact(house.library, "org/used")
    with sole(house.library.path(used), "used"):
        answer = house.ask("model.share", all=True)

    assert [one["name"] for one in answer["shared"]] == ["org/a"]
    assert sorted(one["path"].partition("@")[0] for one in answer["skipped"]) == ["org/long", "org/used"]


def test_a_folder_becomes_a_model_with_a_manifest(house: House, tmp_path: Path) -> None:
    answer = house.ask("model.share", path=str(folder_of(tmp_path)), name="me/tiny", license="mit", version="2")
    (row,) = answer["shared"]

    assert (row["name"], row["license"], row["signed"], row["public"]) == ("me/tiny", "mit", True, False)
    (receipt,) = house.library.receipts()
    assert (receipt.source.kind, receipt.license) == (SourceKind.IMPORT, "mit")
    assert row["infohashes"] == [receipt.files[0].infohash]
    again = house.ask("model.share", path=str(tmp_path / "mine"), name="me/tiny", license="mit")
    assert [one["ref"] for one in again["shared"]] == [row["ref"]]


def test_D51_a_folder_with_a_link_is_not_published(house: House, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "config.json").symlink_to("/etc/passwd")

    with pytest.raises(NotOnlyFilesError):
        house.ask("model.share", path=str(folder), name="me/tiny", license="mit")
    assert house.library.receipts() == ()


SECRETS = dict.fromkeys((".secrets.json", "client_secret.json", "wandb-metadata.json"), b"{}")
KNOWN = {"config.json": b'{"model_type": "x"}', "tokenizer.json": b"{}"}


def beside_weights(folder: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    return {"model.safetensors": tiny_safetensors(folder / "made")[0].read_bytes(), **files}


def test_D51_what_lies_beside_a_model_by_chance_is_not_published(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, data in beside_weights(tmp_path, SECRETS | KNOWN).items():
        (folder / name).write_bytes(data)
    answer = house.ask("model.share", path=str(folder), name="me/tiny", license="mit")

    (receipt,) = house.library.receipts()
    assert {one.path for one in receipt.files} == {"model.safetensors", *KNOWN}
    assert {one["path"] for one in answer["skipped"]} == set(SECRETS)


@NEEDED
def test_D51_nor_is_what_a_repository_holds_by_chance(house: House, tmp_path: Path) -> None:
    folder = repository(tmp_path, beside_weights(tmp_path, SECRETS | KNOWN))
    answer = house.ask("model.share", git=f"file://{folder}")

    (receipt,) = house.library.receipts()
    assert {one.path for one in receipt.files} == {"model.safetensors", *KNOWN}
    assert {one["path"] for one in answer["skipped"]} == set(SECRETS)


@NEEDED
@pytest.mark.parametrize("lfs", ["*.gguf", ""])
def test_a_repository_becomes_a_model_with_a_manifest(house: House, tmp_path: Path, lfs: str) -> None:
    files = {GGUF: a_gguf(tmp_path), "README.md": b"---\nlicense: mit\n---\n"}
    folder = repository(tmp_path, files, lfs=lfs)
    (row,) = house.ask("model.share", git=f"file://{folder}", public=True)["shared"]

    (receipt,) = house.library.receipts()
    assert (row["name"], row["license"], row["public"]) == ("org/Tiny-1B", "mit", True)
    assert receipt.source == Origin(SourceKind.GIT, f"file://{folder}@{git(folder, 'rev-parse', 'HEAD')}")
    assert house.library.state(receipt).complete
    assert house.left_behind() == []


@NEEDED
def test_B34_a_gated_repository_is_not_published(house: House, tmp_path: Path) -> None:
    card = b"---\nlicense: mit\nextra_gated_prompt: agree\n---\n"
    folder = repository(tmp_path, {GGUF: a_gguf(tmp_path), "README.md": card})

    with pytest.raises(NotShareableError):
        house.ask("model.share", git=f"file://{folder}")
    assert (house.library.receipts(), house.left_behind()) == ((), [])


@NEEDED
def test_a_repository_without_its_large_files_has_no_model(house: House, tmp_path: Path) -> None:
    folder = repository(tmp_path, {GGUF: a_gguf(tmp_path)})

    with pytest.raises(ThorpError, match="no model"):
        house.ask("model.share", git=f"file://{folder}", skip_lfs=True)
    assert house.left_behind() == []


@NEEDED
def test_D51_a_huge_repository_leaves_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, Bounds(git=100_000))
    folder = repository(tmp_path, {GGUF: b"GGUF" + bytes(1_000_000)}, lfs="")

    with pytest.raises(ThorpError, match="larger than what is taken"):
        house.ask("model.share", git=f"file://{folder}")
    assert house.left_behind() == []


def test_D51_a_repository_of_this_machine_is_not_for_a_browser(house: House, tmp_path: Path) -> None:
    with pytest.raises(BadAddressError):
        house.ask("model.share", owner("s1234567"), git=f"file://{tmp_path}")


def test_D51_branches_are_no_options(house: House) -> None:
    for branch in ("--upload-pack=x", "-x", "a..b", "a b"):
        with pytest.raises(ThorpError, match="no revision"):
            house.ask("model.share", git="https://h.example/o/m", branch=branch)


@pytest.mark.parametrize(
    ("given", "why"),
    [({"git": "https://h.example/m"}, "--name"), ({"git": "https://h/o/m", "name": "../m"}, "no name")],
)
def test_a_repository_needs_a_name(house: House, given: dict[str, Any], why: str) -> None:
    with pytest.raises(ThorpError, match=why):
        house.ask("model.share", **given)


def test_words_that_do_not_go_together_are_refused(house: House) -> None:
    with pytest.raises(ShareWordsError):
        house.ask("model.share", ref="a", all=True)


def test_folders_of_the_dead_are_cleared_away_and_those_of_the_living_stay(tmp_path: Path) -> None:
    top = tmp_path / "publishing"
    (top / "dead/bare").mkdir(parents=True)
    (top / "file").touch()
    with scratch(top, SystemRandomness()) as mine, scratch(top, SystemRandomness()) as other:
        assert {one.name for one in top.iterdir()} == {mine.name, other.name, "file"}
    assert [one.name for one in top.iterdir()] == ["file"]


def test_without_a_node_nobody_has_to_be_told() -> None:
    NoSeeding().refresh()


def test_what_is_said_of_a_model_is_in_its_manifest(house: House) -> None:
    """Lists come as lists, as they do in JSON."""
    receipt = an_artifact(house.library)
    house.ask("model.share", ref="org/repo", tags=["small", "test"], hints={"top_k": "5"}, description="d")
    said = own_manifest(house.library, receipt, ME.node_id)

    assert said
    assert (said.tags, said.description, said.hints[0].value) == (("small", "test"), "d", "5")


@NEEDED
def test_another_licence_than_a_repositorys_own_is_refused(house: House, tmp_path: Path) -> None:
    card = b"---\nlicense: cc-by-nc-4.0\n---\n"
    folder = repository(tmp_path, {GGUF: a_gguf(tmp_path), "README.md": card})

    with pytest.raises(NotShareableError, match=r"cc-by-nc-4\.0, not mit"):
        house.ask("model.share", git=f"file://{folder}", license="mit")
    assert (house.library.receipts(), house.left_behind()) == ((), [])
    (row,) = house.ask("model.share", git=f"file://{folder}", license="CC-BY-NC-4.0")["shared"]
    assert row["license"] in ("cc-by-nc-4.0", "CC-BY-NC-4.0")


def test_nobody_clears_away_a_folder_that_is_just_being_made(tmp_path: Path) -> None:
    """Another process looks for what the dead left at the moment at which a folder is there and not locked."""
    top = tmp_path / "publishing"
    cleared: list[Path] = []

    class Meanwhile(SystemRandomness):
        def bytes(self, count: int) -> bytes:
            other = threading.Thread(target=clear)
            other.start()
            threads.append(other)
            return super().bytes(count)

    def clear() -> None:
        with scratch(top, SystemRandomness()) as own:
            cleared.append(own)

    threads: list[threading.Thread] = []
    with scratch(top, Meanwhile()) as mine:
        for one in threads:
            one.join()
        assert mine.is_dir()
    assert len(cleared) == 1
