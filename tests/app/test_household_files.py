"""A household survives the end of its process; what is half there, or altered, is refused in words."""

import json
from pathlib import Path

import pytest

from thorp.app.environment import Environment
from thorp.app.household_files import BadHouseholdError, HouseholdFiles, SeqFile
from thorp.app.paths import Paths, make_folders, paths_of
from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey
from thorp.mesh.types import Kept
from thorp.wire.announce import LanKey
from thorp.wire.household import Member, Roster, secret_digest, sign_roster

KEY = NodeKey(bytes(range(32)))


def kept(epoch: int = 1, secret: bytes = b"s" * 32) -> Kept:
    lan = LanKey(epoch, secret)
    me = Member(node=KEY.node_id, name="attic", since=7)
    roster = Roster(
        community="a" * 32, founder=KEY.node_id, version=epoch, epoch=epoch, lan=secret_digest(lan), members=(me,)
    )
    return Kept(sign_roster(roster, KEY), lan)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = paths_of(Environment(home=tmp_path / "home"))
    make_folders(made)
    return made


def test_a_new_home_has_none(paths: Paths) -> None:
    assert HouseholdFiles(paths).load() is None


def test_it_comes_back_as_it_was_and_newer_ones_replace_it(paths: Paths) -> None:
    files = HouseholdFiles(paths)
    for one in (kept(), kept(2, b"t" * 32)):
        files.save(one)
        assert HouseholdFiles(paths).load() == one


def test_nobody_else_may_read_the_secret(paths: Paths) -> None:
    HouseholdFiles(paths).save(kept())
    assert (paths.keys / "lan.secret").stat().st_mode & 0o777 == 0o600
    assert b"s" * 32 not in paths.household.read_bytes()


def test_a_secret_alone_is_no_household(paths: Paths) -> None:
    HouseholdFiles(paths).save(kept())
    paths.household.unlink()
    assert HouseholdFiles(paths).load() is None


@pytest.mark.parametrize("content", [b"", b"x" * 35, b"x" * 37, bytes(36)])
def test_a_secret_that_is_none_is_refused(paths: Paths, content: bytes) -> None:
    HouseholdFiles(paths).save(kept())
    (paths.keys / "lan.secret").write_bytes(content)
    with pytest.raises(BadHouseholdError, match="no secret of a household"):
        HouseholdFiles(paths).load()


def test_a_roster_without_its_secret_is_refused(paths: Paths) -> None:
    HouseholdFiles(paths).save(kept())
    (paths.keys / "lan.secret").unlink()
    with pytest.raises(BadHouseholdError, match="missing"):
        HouseholdFiles(paths).load()


def test_what_is_no_roster_is_refused(paths: Paths) -> None:
    HouseholdFiles(paths).save(kept())
    paths.household.write_text("{}")
    with pytest.raises(BadHouseholdError, match="no roster"):
        HouseholdFiles(paths).load()


def test_numbers_of_packets_come_back(tmp_path: Path) -> None:
    at = tmp_path / "heard.json"
    assert SeqFile(at).load() == {}
    SeqFile(at).save({KEY.node_id: 12})
    assert SeqFile(at).load() == {KEY.node_id: 12}


@pytest.mark.parametrize("text", ["", "[1]", "[" * 100_000, '{"x": 1}', json.dumps({NodeKey(bytes(32)).node_id: -1})])
def test_numbers_that_make_no_sense_are_none(tmp_path: Path, text: str) -> None:
    at = tmp_path / "heard.json"
    at.write_text(text)
    assert dict[NodeId, int](SeqFile(at).load()) == {}
