"""Neighbours and the hub in one transfer: what one of them cannot give comes from the other, and nothing is lost."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.e2e.lan_stock import (
    NO_TORRENTS,
    PIECE,
    asked_for,
    begin,
    noted,
    partial_data,
    sees,
    sent,
    settings,
    slowed,
    stocked,
    until_came,
    until_done,
    until_source,
)
from tests.e2e.lan_village import household
from tests.e2e.pulls import MIB
from thorp.testing.process import until
from thorp.testing.village import Village

pytestmark = [pytest.mark.network, pytest.mark.needs("ip", "tc", "nft")]

SLOW: Final = "80mbit"
A_LITTLE: Final = 2 * MIB  # heads of packets, lists of models, announcements


@pytest.fixture(scope="module")
def founded() -> Iterator[Village]:
    with household(("a", "b")) as village:
        yield village


@pytest.fixture
def village(founded: Village) -> Iterator[Village]:
    """The same one for all; whatever a test cuts or changes is mended behind it."""
    yield founded
    a, b = founded.node("a"), founded.node("b")
    founded.unblock()
    founded.restore_hub()
    a.plug_in()
    for node in (a, b):
        if node.running is None:
            node.start()
    settings(b, transfers_mix="auto")


def test_the_hub_is_left_in_peace_while_neighbours_send(village: Village) -> None:
    b = village.node("b")
    model = stocked(village, "Calm", 40, "a")
    sees(b, model)
    village.hub().forget()
    row = until_done(b, begin(b, model))
    assert row["by_source"] == {"lan": model.size}
    assert row["pieces"] == "lll"
    assert asked_for(village, model) == 0
    assert model.is_whole_at(b)


def test_hub_and_neighbours_give_to_one_transfer(village: Village) -> None:
    a, b = village.node("a"), village.node("b")
    model = stocked(village, "Both", 112, "a")
    sees(b, model)
    settings(b, transfers_mix="always")
    with slowed(a, SLOW), slowed(village.hub(), SLOW):
        row = until_done(b, begin(b, model))
    assert set(row["by_source"]) == {"hub", "lan"}
    assert sum(row["by_source"].values()) == model.size
    drawn = row["pieces"]
    assert (len(drawn), set(drawn)) == (7, {"h", "l"})
    assert drawn.count("h") * PIECE == row["by_source"]["hub"]
    assert model.is_whole_at(b)


def test_the_hub_ends_what_a_neighbour_began_whose_cable_is_pulled_out(village: Village) -> None:
    a, b = village.node("a"), village.node("b")
    model = stocked(village, "Gone", 64, "a")
    sees(b, model)
    with slowed(a, SLOW):
        number = begin(b, model)
        until_came(b, number, 2 * PIECE)
        a.unplug()
        row = until_done(b, number)
    assert row["by_source"]["lan"] >= PIECE
    assert sum(row["by_source"].values()) == model.size
    assert asked_for(village, model) <= model.size + row["by_source"]["hub"]  # the first time for `a`
    assert model.is_whole_at(b)


def test_neighbours_end_what_a_hub_began_that_is_cut_off(village: Village) -> None:
    a, b = village.node("a"), village.node("b")
    model = stocked(village, "Left", 112, "a")
    sees(b, model)
    settings(b, transfers_mix="always")
    with slowed(a, SLOW), slowed(village.hub(), SLOW):
        number = begin(b, model)
        until_source(b, number, "hub")
        village.cut_hub()
        row = until_done(b, number)
    assert set(row["by_source"]) == {"hub", "lan"}
    assert sum(row["by_source"].values()) == model.size
    assert model.is_whole_at(b)


def test_where_torrents_do_not_get_through_the_files_of_members_do(village: Village) -> None:
    b = village.node("b")
    model = stocked(village, "Wall", 24, "a")
    sees(b, model)
    village.block(NO_TORRENTS)
    village.hub().stop()
    row = until_done(b, begin(b, model))
    assert row["by_source"] == {"lan": model.size}
    assert model.is_whole_at(b)


def test_C35_a_node_that_is_killed_goes_on_with_what_fits_the_torrent(village: Village) -> None:
    a, b = village.node("a"), village.node("b")
    model = stocked(village, "Kill", 112, "a")
    sees(b, model)
    village.cut_hub()
    with slowed(a, SLOW):
        number = begin(b, model)
        until_came(b, number, 3 * PIECE)
        until(lambda: noted(b) >= 3 * PIECE, "three pieces are noted")
        b.kill()
    kept, data = noted(b), partial_data(b)
    with data.open("r+b") as file:  # what a disk may do meanwhile
        file.write(b"not what was there")
    before = sent(a)
    b.start()
    row = until_done(b, number)
    missing = model.size - kept + PIECE  # and the piece that was spoilt; more may lie there than was noted
    assert PIECE <= sent(a) - before <= 1.1 * (missing + PIECE) + A_LITTLE
    assert row["pieces"] == "lllllll"
    assert model.is_whole_at(b)
