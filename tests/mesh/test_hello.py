from collections.abc import Collection

import pytest

from thorp.mesh.hello import (
    MOST_ADDRESSES,
    MOST_NONCES,
    NEW_EACH,
    NEW_PER_SECOND,
    SESSIONS_EACH,
    Doorbell,
    NotKnownError,
    RemovedError,
    TooManyHellosError,
    household_of,
)
from thorp.testing.clock import FakeClock
from thorp.testing.mesh import FakeNode, House
from thorp.wire.hello import NONCE_SECONDS, SESSION_SECONDS, sign_hello
from thorp.wire.household import text_of_bytes


@pytest.fixture
def founder() -> FakeNode:
    return FakeNode(House(), 1)


@pytest.fixture
def member(founder: FakeNode) -> FakeNode:
    house = House()
    house.nodes[founder.address] = (founder.id, founder.app)
    node = FakeNode(house, 2)
    node.join(founder)
    return node


def hello(asker: FakeNode, to: FakeNode, nonce: str | None = None, community: str | None = None) -> bytes:
    signed = sign_hello(
        asker.key,
        to.id,
        community or to.household.community,
        nonce or to.sessions.nonce().nonce,
        mesh_port=1,
        swarm_port=2,
    )
    return signed.model_dump_json().encode()


def token(asker: FakeNode, to: FakeNode) -> str:
    return to.sessions.greet(hello(asker, to), 0)[0].token


def test_a_member_that_greets_gets_a_session(founder: FakeNode, member: FakeNode) -> None:
    answer, session = founder.sessions.greet(hello(member, founder), 8001)

    assert (answer.swarm_port, answer.version, answer.epoch) == (8001, 2, 1)
    assert (session.node, session.mesh_port, session.swarm_port) == (member.id, 1, 2)
    assert founder.sessions.find(answer.token) == session


def test_a_nonce_is_good_once(founder: FakeNode, member: FakeNode) -> None:
    body = hello(member, founder)
    founder.sessions.greet(body, 0)

    with pytest.raises(NotKnownError):
        founder.sessions.greet(body, 0)


def test_a_stale_nonce_is_refused(founder: FakeNode, member: FakeNode) -> None:
    body = hello(member, founder)
    founder.clock.advance(NONCE_SECONDS)

    with pytest.raises(NotKnownError):
        founder.sessions.greet(body, 0)


def test_everybody_who_is_not_known_gets_the_same_sentence(founder: FakeNode, member: FakeNode) -> None:
    stranger = FakeNode(House(), 3)
    bodies = [
        b"",
        b"{}",
        hello(stranger, founder),
        hello(member, founder, nonce=text_of_bytes(bytes(32))),
        hello(member, founder, community="f" * 32),
        hello(member, member, nonce=founder.sessions.nonce().nonce),
        hello(member, founder)[:-8] + b'AAAAAA"}',
    ]
    said = set[str]()
    for body in bodies:
        with pytest.raises(NotKnownError) as refused:
            founder.sessions.greet(body, 0)
        said.add(refused.value.message)

    assert len(said) == 1


def test_E67_a_removed_node_is_told_so_and_its_session_is_over(founder: FakeNode, member: FakeNode) -> None:
    had = token(member, founder)
    founder.remove(member)

    with pytest.raises(NotKnownError):
        founder.sessions.find(had)
    with pytest.raises(RemovedError):
        founder.sessions.greet(hello(member, founder), 0)


def test_a_session_ends_after_an_hour_by_monotonic_time(founder: FakeNode, member: FakeNode) -> None:
    had = token(member, founder)
    founder.clock.set_wall(0)
    founder.clock.advance(SESSION_SECONDS - 1)
    founder.sessions.find(had)
    founder.clock.advance(1)

    with pytest.raises(NotKnownError):
        founder.sessions.find(had)


def test_tokens_are_not_kept_and_guesses_are_refused(founder: FakeNode, member: FakeNode) -> None:
    had = token(member, founder)

    assert had not in repr(founder.sessions._sessions)
    for guess in ("", had[:-1], had + "A", text_of_bytes(bytes(32))):
        with pytest.raises(NotKnownError):
            founder.sessions.find(guess)


def test_a_node_has_so_many_sessions_and_loses_the_oldest(founder: FakeNode, member: FakeNode) -> None:
    tokens = [token(member, founder) for _ in range(SESSIONS_EACH + 1)]

    with pytest.raises(NotKnownError):
        founder.sessions.find(tokens[0])
    for one in tokens[1:]:
        founder.sessions.find(one)


def test_nonces_are_bounded(founder: FakeNode) -> None:
    for _ in range(MOST_NONCES + 5):
        founder.sessions.nonce()

    assert len(founder.sessions._nonces) == MOST_NONCES


def rung(bell: Doorbell, address: str, times: int, neighbours: Collection[str] = ()) -> int:
    """How often of so many times somebody answered."""
    answered = 0
    for _ in range(times):
        try:
            bell.ring(address, neighbours)
        except TooManyHellosError:
            continue
        answered += 1
    return answered


def test_one_address_leaves_room_for_others_and_all_have_an_end() -> None:
    bell = Doorbell(FakeClock())

    assert rung(bell, "10.0.0.1", 1000) == NEW_EACH
    assert rung(bell, "10.0.0.2", 1) == 1
    assert sum(rung(bell, f"10.0.1.{one}", 1) for one in range(100)) == NEW_PER_SECOND - NEW_EACH - 1


def test_E59_strangers_do_not_keep_a_neighbour_from_greeting() -> None:
    clock, here = FakeClock(), ["10.0.0.2"]
    bell = Doorbell(clock)
    for _ in range(3):
        strangers = sum(rung(bell, f"10.0.1.{one}", 1, here) for one in range(100))
        assert strangers == NEW_PER_SECOND
        assert rung(bell, "::ffff:10.0.0.2", 1000, here) == NEW_EACH
        clock.advance(1)
    bell.ring("10.0.0.3", ["10.0.0.3"])
    assert len(bell._neighbours) == 1


def test_the_bell_is_quiet_again_after_a_second() -> None:
    clock = FakeClock()
    bell = Doorbell(clock)
    rung(bell, "10.0.0.1", 1000)
    clock.advance(1)

    assert rung(bell, "10.0.0.1", 1000) == NEW_EACH


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("fe80::1:0:0:1", "fe80::2:0:0:1", True),
        ("fe80::1%lan0", "fe80::2", True),
        ("2001:db8::1", "2001:db8:0:0:5::1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("no address", "", False),
    ],
)
def test_a_house_is_a_network_however_its_addresses_are_written(one: str, other: str, *, same: bool) -> None:
    assert (household_of(one) == household_of(other)) is same


def test_addresses_of_one_house_ring_as_one_and_are_not_collected() -> None:
    bell = Doorbell(FakeClock())

    assert sum(rung(bell, f"2001:db8:1:2:{one:x}::1", 1) for one in range(1, 100)) == NEW_EACH
    for one in range(2000):
        rung(bell, f"10.0.{one // 256}.{one % 256}", 1)
    assert len(bell._each) == MOST_ADDRESSES
