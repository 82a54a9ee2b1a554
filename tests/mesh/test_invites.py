import pytest

from thorp.identity.keys import NodeKey
from thorp.mesh.invites import (
    CHALLENGE_SECONDS,
    DAY,
    MOST_CHALLENGES,
    MOST_INVITES,
    TRIES,
    InviteBook,
    InviteBurntError,
    InviteExpiredError,
    InviteUsedError,
    JoinRefusedError,
    Proven,
    TooManyInvitesError,
)
from thorp.testing.clock import FakeClock, FakeRandomness
from thorp.wire.household import text_of_bytes
from thorp.wire.invites import Invite, invite_id
from thorp.wire.joining import JoinBegin, JoinProof, Transcript, proof, sign_transcript

ME, ANN, BOB = (NodeKey(bytes([number]) * 32) for number in (1, 2, 3))
HOME, ELSEWHERE = "0" * 32, "1" * 32
NONCE = text_of_bytes(bytes(32))


class Door:
    """A book, and everything a joiner does with it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.book = InviteBook(ME.node_id, self.clock, FakeRandomness())
        self.invite = self.book.make(HOME, ("10.0.0.1:1",))

    def shown(self, key: NodeKey, secret: bytes | None = None, **change: str) -> JoinProof:
        """The proof of somebody who got a nonce. `change`: what they claim in it, and is not so."""
        named = invite_id(self.invite.secret)
        begin = JoinBegin(community=HOME, invite=named, node=key.node_id, name="cellar", nonce=NONCE)
        nonce = self.book.begin(begin).nonce
        fields = {"community": HOME, "invite": named, "inviter": ME.node_id, "joiner": key.node_id, "name": "cellar"}
        said = Transcript(**{**fields, "inviter_nonce": nonce, "joiner_nonce": NONCE, **change})
        return JoinProof(
            invite=named,
            nonce=nonce,
            proof=proof(secret or self.invite.secret, "joiner", said),
            signature=sign_transcript(key, said),
        )

    def prove(self, key: NodeKey, **change: str) -> Proven:
        return self.book.prove(self.shown(key, **change), HOME)

    def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(JoinRefusedError):
                self.book.prove(self.shown(BOB, bytes(16)), HOME)


def test_who_knows_the_invite_is_proven() -> None:
    proven = Door().prove(ANN)

    assert (proven.said.joiner, proven.said.name, proven.again) == (ANN.node_id, "cellar", False)


def test_56_an_invite_lets_one_node_in() -> None:
    door = Door()
    door.prove(ANN)

    with pytest.raises(InviteUsedError):
        door.prove(BOB)
    assert door.prove(ANN).again


def test_an_invite_that_helped_nobody_is_given_back() -> None:
    door = Door()
    door.book.give_back(door.prove(ANN))

    assert not door.prove(BOB).again


def test_56_an_invite_expires_by_monotonic_time() -> None:
    door = Door()
    door.clock.set_wall(10 * DAY)
    door.clock.advance(DAY - 1)
    early = door.shown(ANN)
    door.clock.advance(1)

    with pytest.raises(InviteExpiredError):
        door.book.prove(early, HOME)


@pytest.mark.parametrize(
    "change",
    [
        {"community": ELSEWHERE},
        {"inviter": BOB.node_id},
        {"joiner": BOB.node_id},
        {"name": "attic"},
        {"joiner_nonce": text_of_bytes(bytes([9]) * 32)},
        {"inviter_nonce": NONCE},
    ],
    ids=lambda one: next(iter(one)),
)
def test_56_a_proof_over_anything_else_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(JoinRefusedError):
        Door().prove(ANN, **change)


def test_a_proof_cannot_be_used_by_another_node() -> None:
    """Somebody who saw it has neither the nonce again nor the key that signs for its owner."""
    door = Door()
    seen, mine = door.shown(ANN), door.shown(BOB)

    with pytest.raises(JoinRefusedError):
        door.book.prove(seen.model_copy(update={"nonce": mine.nonce}), HOME)


def test_a_right_proof_with_somebody_elses_signature_is_refused() -> None:
    door = Door()
    shown = door.shown(ANN)

    with pytest.raises(JoinRefusedError):
        door.book.prove(shown.model_copy(update={"signature": door.shown(BOB).signature}), HOME)


def test_a_replayed_proof_is_refused() -> None:
    door = Door()
    shown = door.shown(ANN)
    door.book.prove(shown, HOME)

    with pytest.raises(JoinRefusedError):
        door.book.prove(shown, HOME)


def test_a_stale_challenge_is_refused() -> None:
    door = Door()
    shown = door.shown(ANN)
    door.clock.advance(CHALLENGE_SECONDS)

    with pytest.raises(JoinRefusedError):
        door.book.prove(shown, HOME)


def test_five_wrong_proofs_burn_an_invite_and_only_who_knows_it_learns_so() -> None:
    door = Door()
    door.fail(TRIES)

    with pytest.raises(InviteBurntError):
        door.prove(ANN)
    door.fail(1)


def test_four_wrong_proofs_do_not() -> None:
    door = Door()
    door.fail(TRIES - 1)

    assert door.prove(ANN)


def test_unknown_invites_and_wrong_proofs_get_the_same_sentence() -> None:
    door, other = Door(), Door()
    other.invite = Invite(ME.node_id, HOME, (), bytes(16))
    sentences = set[str]()
    for shown in (door.shown(ANN, bytes(16)), door.shown(ANN).model_copy(update={"invite": "f" * 32})):
        with pytest.raises(JoinRefusedError) as refused:
            door.book.prove(shown, HOME)
        sentences.add(refused.value.message)

    assert len(sentences) == 1


def test_56_an_invite_of_a_household_this_node_left_is_refused() -> None:
    door = Door()

    with pytest.raises(JoinRefusedError):
        door.book.prove(door.shown(ANN), ELSEWHERE)


def test_56_an_invite_of_a_household_this_node_left_waits_for_nobody_and_takes_no_room() -> None:
    door = Door()
    assert door.book.is_waiting(HOME)
    assert not door.book.is_waiting(ELSEWHERE)
    for _ in range(MOST_INVITES):
        door.book.make(ELSEWHERE, ("10.0.0.1:1",))
    assert door.book.is_waiting(ELSEWHERE)


def test_challenges_are_bounded() -> None:
    door = Door()
    first = door.shown(ANN)
    for _ in range(MOST_CHALLENGES):
        door.shown(BOB)

    assert len(door.book._begun) == MOST_CHALLENGES
    with pytest.raises(JoinRefusedError):
        door.book.prove(first, HOME)


def test_open_invites_are_bounded_and_spent_ones_make_room() -> None:
    door = Door()
    door.prove(ANN)
    for _ in range(MOST_INVITES):
        door.book.make(HOME, ())

    with pytest.raises(TooManyInvitesError):
        door.book.make(HOME, ())
    door.clock.advance(DAY)
    assert door.book.make(HOME, ())
