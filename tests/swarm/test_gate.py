import libtorrent
import pytest

from thorp.swarm import native
from thorp.swarm.gate import Gate
from thorp.swarm.profile import Profile, household, public

HASH, OTHER = b"\x01" * 20, b"\x02" * 20
WITHIN = "10.0.0.2"


@pytest.fixture
def begin():
    sessions = []

    def make(profile: Profile) -> tuple[Gate, libtorrent.session]:
        session = native.open_session(profile)
        sessions.append(session)
        gate = Gate(profile)
        gate.begin(session)
        return gate, session

    yield make
    sessions.clear()


def is_open(session: libtorrent.session, address: str) -> bool:
    return session.get_ip_filter().access(address) == 0


def test_the_households_gate_is_shut_until_it_is_opened(begin):
    gate, session = begin(household((), 0))
    assert not is_open(session, WITHIN)
    gate.open_to([WITHIN])
    assert is_open(session, WITHIN)
    assert not is_open(session, "10.0.0.3")
    gate.open_to([])
    assert not is_open(session, WITHIN)


def test_a_gate_that_was_opened_before_the_start_stays_open():
    gate = Gate(household((), 0))
    gate.open_to([WITHIN])
    session = native.open_session(household((), 0))
    gate.begin(session)
    assert is_open(session, WITHIN)


def test_a_ban_wins_over_an_open_gate_until_its_last_download_ends(begin):
    gate, session = begin(household((), 0))
    gate.open_to([WITHIN])
    gate.ban(HASH, WITHIN)
    gate.ban(OTHER, WITHIN)
    assert not is_open(session, WITHIN)
    gate.pardon(HASH)
    assert not is_open(session, WITHIN)
    gate.pardon(OTHER)
    gate.pardon(OTHER)
    assert is_open(session, WITHIN)


def test_the_public_gate_is_open_to_the_world_alone(begin):
    gate, session = begin(public((), 0))
    assert is_open(session, "1.1.1.1")
    assert not is_open(session, "192.168.1.1")
    gate.ban(HASH, "1.1.1.1")
    assert not is_open(session, "1.1.1.1")


def test_after_the_end_nothing_is_asked_of_the_session(begin):
    gate, session = begin(household((), 0))
    gate.end()
    gate.open_to([WITHIN])
    assert not is_open(session, WITHIN)
