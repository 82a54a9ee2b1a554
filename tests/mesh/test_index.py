"""Who is believed to be here, and everything that makes nobody believe it."""

import tracemalloc
from dataclasses import replace

import pytest

from tests.mesh.houses import ATTIC, BARN, BOOT, LAN, ME, STRANGER, House, circle, key, packet
from thorp.mesh import index as limits
from thorp.mesh.index import MEMBER_AGAIN_AFTER, Asking
from thorp.mesh.index_types import Verdict
from thorp.mesh.types import Around, Neighbour
from thorp.net import udp
from thorp.net.udp import SourceGate
from thorp.wire.announce import Head, LanKey, Refusal
from thorp.wire.household import MOST_MEMBERS

NEXT = LanKey(6, bytes(range(32)))


@pytest.fixture
def house() -> House:
    return House()


def test_a_member_that_speaks_is_here(house: House) -> None:
    head = Head("mistral:7b:instruct:q4_k_m", "a1" * 20, None, "c3" * 32, 9)

    assert house.hear(packet(heads=(head,))) == Verdict(node=ATTIC.node_id, fresh=True)
    there = Neighbour(
        ATTIC.node_id, "node 1", "10.0.0.2", 42690, 7080, "d4" * 32, 3, (head,), house.clock.monotonic(), "packet"
    )
    assert house.index.around() == Around((there,))
    assert house.told == [Around((there,))]


def test_each_packet_is_told_again_so_that_peers_are_offered_again(house: House) -> None:
    for seq in (1, 2, 3):
        assert house.hear(packet(seq=seq)).fresh is (seq == 1)

    assert len(house.told) == 3


def test_a_node_that_started_again_is_as_good_as_new(house: House) -> None:
    house.hear(packet(seq=1))

    assert house.hear(packet(seq=2, boot="cd" * 8)).fresh


def test_E67_who_has_just_got_the_new_secret_is_as_good_as_new(house: House) -> None:
    house.hear(packet(seq=1))
    house.circle = replace(circle(ME, ATTIC, lan=NEXT), keys={5: LAN, 6: NEXT})

    assert [house.hear(packet(seq=seq, lan=lan)).fresh for seq, lan in ((2, LAN), (3, NEXT), (4, NEXT))] == [
        False,
        True,
        False,
    ]


def test_the_same_packet_by_another_way_is_no_replay_and_changes_nothing(house: House) -> None:
    twice = packet(addrs=("10.0.0.2", "10.9.0.2"))
    house.hear(twice)

    assert house.hear(twice) == Verdict(node=ATTIC.node_id)
    assert house.hear(twice, "10.9.0.2") == Verdict(node=ATTIC.node_id)
    assert house.index.refused() == {}
    assert len(house.told) == 1


def test_a_node_with_two_addresses_stays_where_it_was_found(house: House) -> None:
    two = ("10.0.0.2", "10.9.0.2")
    house.hear(packet(seq=1, addrs=two))
    house.clock.advance(30)
    house.hear(packet(seq=2, addrs=two), "10.9.0.2")
    assert house.index.around().neighbours[0].address == "10.0.0.2"

    house.clock.advance(80)
    house.hear(packet(seq=3, addrs=two), "10.9.0.2")
    assert house.index.around().neighbours[0].address == "10.9.0.2"


def test_a_node_that_moved_is_found_at_its_new_place_at_once(house: House) -> None:
    house.hear(packet(seq=1))
    house.hear(packet(seq=2, addrs=("10.0.0.77",)), "10.0.0.77")

    assert house.index.around().neighbours[0].address == "10.0.0.77"


def test_who_is_silent_for_three_minutes_is_let_go(house: House) -> None:
    house.hear(packet())
    house.clock.advance(179)
    assert house.index.sweep() == house.clock.monotonic() + 1
    assert house.here == [ATTIC.node_id]

    house.clock.advance(1)
    assert house.here == []
    house.index.sweep()
    assert house.told[-1] == Around()


def test_a_shorter_time_that_a_node_gives_itself_holds_and_a_longer_one_does_not(house: House) -> None:
    house.hear(packet(ATTIC, ttl=10))
    house.hear(packet(BARN, ttl=600))

    house.clock.advance(10)
    assert house.here == [BARN.node_id]
    house.clock.advance(170)
    assert house.here == []


def test_this_node_knows_its_own_voice(house: House) -> None:
    own = packet(ME, boot=BOOT)

    assert house.hear(own).own
    assert house.hear(own).own
    assert house.here == []
    assert house.index.refused() == {}


def test_E75_the_own_key_on_another_machine_is_noticed(house: House) -> None:
    assert house.hear(packet(ME, boot="cd" * 8)).refusal is Refusal.TWIN


def test_E57_a_forged_packet_is_dropped_and_counted(house: House) -> None:
    forged = packet(lan=LanKey(LAN.epoch, bytes(range(32))))

    assert house.hear(forged).refusal is Refusal.SEAL
    assert house.hear(b"M-SEARCH").refusal is Refusal.NOT_OURS
    assert house.index.refused() == {"seal": 1, "not_ours": 1}
    assert (house.here, house.told, house.asked) == ([], [], [])


def test_E57_a_valid_key_from_another_node_s_address_is_dropped(house: House) -> None:
    assert house.hear(packet(), "10.0.0.3").refusal is Refusal.WRONG_ADDRESS
    assert house.hear(packet(STRANGER), "10.0.0.3").refusal is Refusal.WRONG_ADDRESS
    assert (house.here, house.asked) == ([], [])


def test_E57_who_has_the_secret_and_is_in_no_roster_is_not_here_but_the_roster_may_be_old(house: House) -> None:
    assert house.hear(packet(STRANGER)).refusal is Refusal.STRANGER
    assert house.here == []
    assert house.asked == [("10.0.0.2", 7080, STRANGER.node_id)]


def test_E57_a_removed_node_is_nobody_even_with_a_secret_that_is_still_accepted(house: House) -> None:
    house.circle = replace(circle(ME, BARN, lan=NEXT), keys={5: LAN, 6: NEXT}, removed=(ATTIC.node_id,))

    assert house.hear(packet(ATTIC)).refusal is Refusal.REMOVED
    assert house.hear(packet(BARN)).node == BARN.node_id
    assert house.asked == []


def test_the_secret_before_this_one_is_worth_nothing_after_its_time(house: House) -> None:
    house.circle = circle(ME, ATTIC, lan=NEXT)

    assert house.hear(packet()).refusal is Refusal.OLDER_EPOCH


def test_a_newer_epoch_makes_this_node_ask_for_the_roster(house: House) -> None:
    assert house.hear(packet(lan=NEXT), "10.0.0.9").refusal is Refusal.NEWER_EPOCH
    house.hear(packet(ATTIC))
    house.hear(packet(lan=NEXT))

    assert house.asked == [("10.0.0.9", 0, None), ("10.0.0.2", 7080, ATTIC.node_id)]


def test_E67_a_neighbour_is_asked_again_after_seconds_since_two_removals_may_follow_each_other(house: House) -> None:
    house.hear(packet(ATTIC))
    house.hear(packet(lan=NEXT))
    house.hear(packet(lan=NEXT))
    house.clock.advance(MEMBER_AGAIN_AFTER)
    house.hear(packet(lan=NEXT))

    assert house.asked == [("10.0.0.2", 7080, ATTIC.node_id)] * 2


def test_E58_a_replayed_packet_is_dropped_after_minutes(house: House) -> None:
    old, new = packet(seq=1), packet(seq=2)
    house.hear(old)
    house.hear(new)
    house.clock.advance(300)

    assert house.hear(new).refusal is Refusal.REPLAYED
    assert house.hear(old).refusal is Refusal.REPLAYED
    assert house.hear(packet(seq=2)).refusal is Refusal.REPLAYED
    assert house.here == []


def test_E58_a_replayed_packet_is_dropped_after_a_restart(house: House) -> None:
    old = packet(seq=7)
    house.hear(old)
    stored = house.index.seqs()
    house.index = house.start()
    house.index.recall(stored)

    assert house.hear(old).refusal is Refusal.REPLAYED
    assert house.hear(packet(seq=8)).node == ATTIC.node_id


def test_E58_what_a_member_said_before_it_was_removed_cannot_be_played_when_it_is_back(house: House) -> None:
    old = packet(seq=7)
    house.hear(old)
    house.index.forget(ATTIC.node_id)
    house.clock.advance(86_400)

    assert house.here == []
    assert house.hear(old).refusal is Refusal.REPLAYED


def test_E58_no_clock_of_anybody_decides(house: House) -> None:
    house.clock.set_wall(0.0)

    assert house.hear(packet(seq=2**53 - 2)).node == ATTIC.node_id
    assert house.hear(packet(seq=2**53 - 1)).node == ATTIC.node_id


@pytest.mark.parametrize("sources", [1, 200, 100_000])
def test_E59_a_flood_costs_bounded_memory_and_leaves_real_peers_heard(house: House, sources: int) -> None:
    """The way of every datagram, the gate and then the index, for 100 000 in a second. Two members speak in between."""
    gate, barn = SourceGate(), packet(BARN, seq=1, addrs=("10.0.0.3",))
    forged = packet(BARN, lan=LanKey(LAN.epoch, bytes(range(32))))
    kinds = (b"noise" * 100, barn, forged, forged[:5] + b"\xff" * 4 + forged[9:])
    heard = {ATTIC.node_id: 0, BARN.node_id: 0}
    looked_at = 0
    tracemalloc.start()
    try:
        for number in range(100_000):
            if number % 10_000 == 0:
                for node, address in ((BARN, "10.0.0.3"), (ATTIC, "10.0.0.2")):
                    if gate.admits(address, house.clock.monotonic()):
                        said = packet(node, seq=number + 2, addrs=(address,))
                        heard[node.node_id] += house.hear(said, address).node == node.node_id
                gate.keep({one.address for one in house.index.around().neighbours}, house.clock.monotonic())
            source = f"10.{1 + number % sources // 62_500}.{number % sources // 250 % 250}.{number % sources % 250}"
            if gate.admits(source, house.clock.monotonic()):
                looked_at += 1
                house.hear(kinds[number % 4], source)
            house.clock.advance(0.00001)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert heard == {ATTIC.node_id: 10, BARN.node_id: 10}
    assert sorted(house.here) == sorted(heard)
    assert looked_at <= 2 * (udp.ALL_STRANGERS + udp.FIRST_WORDS)
    assert peak < 8 * 1024 * 1024
    assert len(house.asked) <= limits.ASKED_PER_MINUTE


def test_E59_who_arrives_in_the_middle_of_a_flood_is_heard_too(house: House) -> None:
    gate = SourceGate()
    for number in range(20_000):
        gate.admits(f"10.1.0.{number % 250}", house.clock.monotonic())
        house.clock.advance(0.00001)

    assert gate.admits("10.0.0.2", house.clock.monotonic())
    assert house.hear(packet()).node == ATTIC.node_id


def test_E59_a_flood_of_packets_of_a_member_does_not_push_others_out(house: House) -> None:
    house.hear(packet(BARN, addrs=("10.0.0.3",)), "10.0.0.3")
    for seq in range(1, 1500):
        house.hear(packet(ATTIC, seq=seq))

    assert sorted(house.here) == sorted([ATTIC.node_id, BARN.node_id])
    assert len(house.index._taken) == limits.MOST_REMEMBERED


def test_E59_members_numbers_and_sightings_are_bounded(house: House) -> None:
    many = [key(number) for number in range(10, 100)]
    house.circle = circle(ME, *many)
    for one in many:
        house.hear(packet(one))
    house.index.note_call(many[-1].node_id, "10.0.0.2")
    house.index.note_seq(ME.node_id, 1)
    for number in range(1000):
        house.index.note_seq(f"ed25519:{number}", number)
        house.index.note_sighting([f"10.1.{number // 250}.{number % 250}"], 7080, LAN.tag)

    assert len(house.here) == MOST_MEMBERS
    assert house.index.refused() == {"full": len(many) - MOST_MEMBERS}
    assert len(house.index.seqs()) == limits.MOST_SEQS
    assert house.index.last_seq(ME.node_id) == 1
    assert len(house.index._sighted) == limits.MOST_SIGHTINGS


def test_E61_a_pinned_call_makes_a_neighbour_where_no_packet_comes_through(house: House) -> None:
    house.index.note_call(ATTIC.node_id, "10.0.0.2", swarm_port=5, mesh_port=6)

    [found] = house.index.around().neighbours
    assert (found.name, found.address, found.swarm_port, found.mesh_port, found.by) == (
        "node 1", "10.0.0.2", 5, 6, "call"
    )  # fmt: skip
    house.clock.advance(180)
    assert house.here == []


def test_a_call_keeps_what_a_packet_said_and_prolongs_it(house: House) -> None:
    house.hear(packet())
    house.clock.advance(170)
    house.index.note_call(ATTIC.node_id, "10.0.0.2")
    house.clock.advance(100)

    [found] = house.index.around().neighbours
    assert (found.swarm_port, found.list_digest, found.count, found.by) == (42690, "d4" * 32, 3, "packet")
    house.index.note_call(ATTIC.node_id, "10.0.0.2")
    assert house.index.around().neighbours[0].by == "call"


def test_what_packets_said_of_models_does_not_outlive_them(house: House) -> None:
    head = Head("m", "a1" * 20, None, "c3" * 32, 9)
    house.hear(packet(heads=(head,)))
    for _ in range(3):
        house.clock.advance(100)
        house.index.note_call(ATTIC.node_id, "10.0.0.2")

    [found] = house.index.around().neighbours
    assert (found.list_digest, found.count, found.heads, found.by) == ("", 0, (), "call")


def test_ports_of_an_old_session_do_not_take_the_place_of_newer_ones(house: House) -> None:
    house.index.note_call(ATTIC.node_id, "10.0.0.2", swarm_port=1, mesh_port=2)
    house.hear(packet())
    house.index.note_call(ATTIC.node_id, "10.0.0.2", swarm_port=1, mesh_port=2, greeted=False)

    [found] = house.index.around().neighbours
    assert (found.swarm_port, found.mesh_port) == (42690, 7080)
    house.index.note_call(BARN.node_id, "10.0.0.3", swarm_port=1, mesh_port=2, greeted=False)
    [barn] = [one for one in house.index.around().neighbours if one.node == BARN.node_id]
    assert (barn.swarm_port, barn.mesh_port) == (1, 2), "who comes back with an old session says where it is"


def test_E59_a_new_member_becomes_known_whatever_others_send(house: House) -> None:
    for number in range(50):
        house.hear(packet(lan=NEXT), f"10.1.0.{number}")
    house.hear(packet(lan=NEXT), "10.0.0.2")
    house.asked.clear()
    house.hear(packet(STRANGER))

    assert house.asked == [("10.0.0.2", 7080, STRANGER.node_id)]


def test_E67_a_neighbour_that_claims_something_newer_is_asked_every_few_seconds_at_most(house: House) -> None:
    house.index.ask_neighbour(ATTIC.node_id, "10.0.0.2", 7080)
    assert house.asked == []
    house.index.note_call(ATTIC.node_id, "10.0.0.2", mesh_port=7080)
    for _ in range(100):
        house.index.ask_neighbour(ATTIC.node_id, "10.0.0.2", 7080)
    assert len(house.asked) == 1
    house.clock.advance(MEMBER_AGAIN_AFTER)
    house.index.ask_neighbour(ATTIC.node_id, "10.0.0.2", 7080)
    assert len(house.asked) == 2


def test_E61_a_neighbour_that_mdns_alone_shows_is_called_before_its_time_is_over(house: House) -> None:
    house.index.note_call(ATTIC.node_id, "10.0.0.2", mesh_port=7080)
    for _ in range(30):
        house.clock.advance(20)
        house.index.note_sighting(["10.9.0.2", "10.0.0.2"], 7080, LAN.tag)
        if house.asked:
            assert house.asked.pop() == ("10.0.0.2", 7080, ATTIC.node_id)
            house.index.note_call(ATTIC.node_id, "10.0.0.2", mesh_port=7080, greeted=False)
        assert house.here == [ATTIC.node_id]


def test_E67_a_neighbour_that_shows_another_tag_is_asked_for_the_roster(house: House) -> None:
    house.index.note_call(ATTIC.node_id, "10.0.0.2", mesh_port=7080)
    house.index.note_sighting(["10.0.0.2"], 7080, LAN.tag)
    assert house.asked == []
    house.index.note_sighting(["10.0.0.2"], 7080, NEXT.tag)

    assert house.asked == [("10.0.0.2", 7080, ATTIC.node_id)]


def test_calls_of_strangers_removed_ones_and_oneself_count_for_nothing(house: House) -> None:
    house.circle = circle(ME, ATTIC, removed=(ATTIC.node_id,))
    for node in (ATTIC, STRANGER, ME):
        house.index.note_call(node.node_id, "10.0.0.2", mesh_port=1)

    assert house.here == []


def test_E61_what_mdns_shows_proves_nothing_and_is_called(house: House) -> None:
    house.index.note_sighting(["10.0.0.2"], 7080, LAN.tag)
    assert house.here == []
    assert house.asked == [("10.0.0.2", 7080, None)]

    house.index.note_call(ATTIC.node_id, "10.0.0.2", mesh_port=7080)
    assert house.index.around().neighbours[0].by == "mdns"


def test_sightings_are_not_called_again_and_again(house: House) -> None:
    for _ in range(10):
        house.index.note_sighting(["10.0.0.2"], 7080, LAN.tag)
        house.index.note_sighting(["10.0.0.3"], 7080, "f" * 16)
    assert len(house.asked) == 2

    house.clock.advance(61)
    house.index.note_sighting(["10.0.0.2"], 7080, LAN.tag)
    house.index.note_sighting(["10.0.0.3"], 7080, "f" * 16)
    assert len(house.asked) == 3


def test_a_neighbour_that_packets_come_from_is_not_called_for_being_seen(house: House) -> None:
    house.hear(packet())
    house.index.note_sighting(["10.0.0.2"], 7080, LAN.tag)

    assert house.asked == []


def test_a_household_of_one_calls_nobody(house: House) -> None:
    house.circle = circle(ME)
    house.index.note_sighting(["10.0.0.2"], 7080, LAN.tag)
    house.hear(packet(lan=NEXT))

    assert house.asked == []


def test_a_removed_member_is_gone_at_once(house: House) -> None:
    house.hear(packet())
    house.index.forget(ATTIC.node_id)
    house.index.forget(ATTIC.node_id)

    assert house.told[-1] == Around()
    assert len(house.told) == 2


def test_who_left_the_roster_is_let_go_with_the_next_sweep(house: House) -> None:
    house.hear(packet())
    house.circle = circle(ME, BARN)
    house.index.sweep()

    assert house.here == []


def test_calls_that_strangers_can_provoke_are_rare() -> None:
    asking = Asking()
    asked = [f"10.0.{number // 250}.{number % 250}" for number in range(1000) if asking.may(
        f"10.0.{number // 250}.{number % 250}", 0.0, known=False)]  # fmt: skip

    assert len(asked) == limits.ASKED_PER_MINUTE
    assert asking.may("10.9.0.1", 0.0, known=True)
    assert not asking.may("10.9.0.1", 59.0, known=True)
    assert asking.may("10.9.0.2", 60.0, known=False)
