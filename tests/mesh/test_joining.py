import asyncio
import threading

import pytest

from thorp.base.errors import ThorpError
from thorp.base.tasks import TaskScope
from thorp.mesh.calls import NobodyThereError
from thorp.mesh.invites import InviteUsedError, JoinRefusedError, Proven
from thorp.mesh.joining import Joiner, NotTheInviterError
from thorp.mesh.replies import NeighbourRefusedError
from thorp.mesh.types import Kept
from thorp.testing.clock import FakeRandomness
from thorp.testing.mesh import FakeLine, FakeNode, FakeReply, FakeShelf, House
from thorp.wire.household import text_of_bytes
from thorp.wire.invites import Invite, invite_id
from thorp.wire.joining import JoinBegin, JoinProof, JoinWelcome, Transcript, proof, sign_transcript


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def founder(house: House) -> FakeNode:
    return FakeNode(house, 1)


@pytest.fixture
def joiner(house: House) -> FakeNode:
    return FakeNode(house, 2)


def invited(founder: FakeNode) -> Invite:
    return founder.invites.make(founder.household.community, (f"{founder.address}:7001",))


def test_an_invited_node_joins(founder: FakeNode, joiner: FakeNode) -> None:
    joiner.join(founder)

    assert founder.household.is_member(joiner.id)
    assert founder.household.name_of(joiner.id) == "node-2"
    assert joiner.household.community == founder.household.community
    assert joiner.household.lan == founder.household.lan


def test_56_an_invite_used_twice_is_refused_with_its_own_sentence(
    house: House, founder: FakeNode, joiner: FakeNode
) -> None:
    invite = invited(founder)
    joiner.neighbourhood.join(invite)

    with pytest.raises(NeighbourRefusedError, match="used already"):
        FakeNode(house, 3).neighbourhood.join(invite)


def test_the_same_node_may_ask_again_when_the_answer_got_lost(founder: FakeNode, joiner: FakeNode) -> None:
    invite = invited(founder)
    joiner.neighbourhood.join(invite)
    signed, lan = joiner.neighbourhood.join(invite)

    assert (signed, lan) == (founder.household.standing.signed, founder.household.lan)


def test_E67_a_removed_node_does_not_come_back_with_its_old_invite(founder: FakeNode, joiner: FakeNode) -> None:
    invite = invited(founder)
    joiner.neighbourhood.join(invite)
    founder.remove(joiner)

    with pytest.raises(NeighbourRefusedError, match="used already"):
        joiner.neighbourhood.join(invite)
    assert not founder.household.is_member(joiner.id)


class SlowShelf(FakeShelf):
    """A disk whose next write waits until somebody lets it go on."""

    def __init__(self) -> None:
        super().__init__()
        self.writing, self.go = threading.Event(), threading.Event()

    def save(self, kept: Kept) -> None:
        self.writing.set()
        self.go.wait(5)
        super().save(kept)


def asks(founder: FakeNode, joiner: FakeNode, invite: Invite) -> JoinProof:
    """The joiner's proof, ready to be sent."""
    named, nonce = invite_id(invite.secret), text_of_bytes(bytes(32))
    begin = JoinBegin(community=invite.community, invite=named, node=joiner.id, name="cellar", nonce=nonce)
    theirs = founder.invites.begin(begin).nonce
    said = Transcript(invite.community, named, founder.id, joiner.id, "cellar", theirs, nonce)
    shown = proof(invite.secret, "joiner", said)
    return JoinProof(invite=named, nonce=theirs, proof=shown, signature=sign_transcript(joiner.key, said))


def test_E67_a_proof_that_comes_while_its_node_is_removed_is_refused(founder: FakeNode, joiner: FakeNode) -> None:
    invite = invited(founder)
    joiner.neighbourhood.join(invite)
    body = asks(founder, joiner, invite).model_dump_json().encode()
    shelf = founder.household._shelf = SlowShelf()

    async def run() -> None:
        founder.household._changing = asyncio.Lock()
        async with TaskScope("removal") as scope:
            removal = scope.start("remove", founder.household.remove(joiner.id))
            await asyncio.to_thread(shelf.writing.wait, 5)
            answer = scope.start("answer", founder.joining.answer(body))
            await asyncio.sleep(0)
            assert not answer.done()
            shelf.go.set()
            await removal
            with pytest.raises(InviteUsedError):
                await answer

    asyncio.run(run())
    roster = founder.household.standing.roster
    assert joiner.id not in roster.nodes
    assert joiner.id in roster.removed


def test_56_an_expired_invite_is_refused_with_its_own_sentence(founder: FakeNode, joiner: FakeNode) -> None:
    invite = invited(founder)
    founder.clock.advance(24 * 3600)

    with pytest.raises(NeighbourRefusedError, match="expired"):
        joiner.neighbourhood.join(invite)


@pytest.mark.parametrize("change", ["community", "secret"])
def test_56_an_altered_invite_lets_nobody_in(founder: FakeNode, joiner: FakeNode, change: str) -> None:
    made = invited(founder)
    altered = Invite(
        made.node,
        "f" * 32 if change == "community" else made.community,
        made.endpoints,
        bytes(16) if change == "secret" else made.secret,
    )

    with pytest.raises(ThorpError, match="does not let you in"):
        joiner.neighbourhood.join(altered)
    assert not founder.household.is_member(joiner.id)


def test_nothing_is_said_to_a_node_that_did_not_make_the_invite(
    house: House, founder: FakeNode, joiner: FakeNode
) -> None:
    """The key is compared before the first byte of a request."""
    made = invited(founder)
    elsewhere = Invite(FakeNode(house, 3).id, made.community, made.endpoints, made.secret)

    with pytest.raises(NobodyThereError):
        joiner.neighbourhood.join(elsewhere)


def test_the_next_place_is_tried_when_one_is_empty(founder: FakeNode, joiner: FakeNode) -> None:
    invite = founder.invites.make(founder.household.community, ("127.0.0.99:1", f"{founder.address}:7001"))

    joiner.neighbourhood.join(invite)
    assert founder.household.is_member(joiner.id)


def test_an_invite_survives_a_disk_that_failed(founder: FakeNode, joiner: FakeNode) -> None:
    invite = invited(founder)
    founder.shelf.broken = True
    with pytest.raises(ThorpError):
        joiner.neighbourhood.join(invite)
    founder.shelf.broken = False

    joiner.neighbourhood.join(invite)
    assert founder.household.is_member(joiner.id)


def test_who_is_not_the_founder_lets_nobody_in(house: House, founder: FakeNode, joiner: FakeNode) -> None:
    joiner.join(founder)
    invite = joiner.invites.make(joiner.household.community, (f"{joiner.address}:7002",))

    with pytest.raises(ThorpError, match="does not let you in"):
        FakeNode(house, 3).neighbourhood.join(invite)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"step":"begin"}', b'{"step":"prove"}', b"\xff", b"[" * 99])
def test_requests_of_no_kind_get_the_one_sentence(founder: FakeNode, body: bytes) -> None:
    with pytest.raises(JoinRefusedError):
        asyncio.run(founder.joining.answer(body))


class LyingLine(FakeLine):
    """An inviter that hands out a household and does not know the invite."""

    def ask(self, method: str, path: str, **options: object) -> FakeReply:
        reply = super().ask(method, path, **options)
        if b"household" not in reply.body:
            return reply
        welcome = JoinWelcome.model_validate_json(reply.body).model_copy(update={"proof": text_of_bytes(bytes(32))})
        return FakeReply(200, {}, welcome.model_dump_json().encode())


def test_a_welcome_without_the_inviters_proof_is_refused(founder: FakeNode, joiner: FakeNode) -> None:
    line = LyingLine(founder.id, founder.app)

    with pytest.raises(NotTheInviterError):
        Joiner(joiner.key, "cellar", FakeRandomness(9)).join(line, invited(founder))


def test_a_node_removed_while_it_is_let_in_gets_no_secret(founder: FakeNode, joiner: FakeNode) -> None:
    said = Transcript(founder.household.community, "0" * 32, founder.id, joiner.id, "cellar", "", "")

    with pytest.raises(InviteUsedError):
        founder.joining._given(Proven(said, bytes(16)))
