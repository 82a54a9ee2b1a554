"""The vectors of the page about households, held against the code."""

import json
from typing import Any

import pytest

from tests.docs.pages import ROOT, blocks
from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey
from thorp.mesh import answers, giving, hello, invites
from thorp.mesh.types import GRACE_SECONDS
from thorp.wire.announce import LanKey
from thorp.wire.hello import NONCE_SECONDS, SESSION_SECONDS, HelloRequest, sign_hello
from thorp.wire.household import SignedRoster, bytes_of_text, secret_digest, sign_roster, verify_roster
from thorp.wire.invites import Invite, invite_id, link_of, parse_link
from thorp.wire.joining import Transcript, proof, sign_transcript, transcript
from thorp.wire.strictjson import MOST_MEMBERS

PAGE = (ROOT / "docs/protocol/household.md").read_text(encoding="utf-8")
[VECTORS] = [json.loads(block.text) for block in blocks(PAGE) if block.info == "json household"]
INVITER, JOINER = (NodeKey(bytes.fromhex(VECTORS["seeds"][who])) for who in ("inviter", "joiner"))
COMMUNITY = VECTORS["signed_roster"]["roster"]["community"]
SECRET = bytes_of_text(VECTORS["invite"]["secret"])


@pytest.fixture
def said() -> Transcript:
    join = VECTORS["join"]
    nonces = join["inviter_nonce"], join["joiner_nonce"]
    return Transcript(COMMUNITY, invite_id(SECRET), INVITER.node_id, JOINER.node_id, join["name"], *nonces)


def test_the_roster_is_as_written() -> None:
    signed = SignedRoster.model_validate_json(json.dumps(VECTORS["signed_roster"]))

    assert sign_roster(verify_roster(signed), INVITER) == signed


def test_the_digest_of_the_secret_is_as_written() -> None:
    given: dict[str, Any] = VECTORS["secret"]

    assert secret_digest(LanKey(given["epoch"], bytes_of_text(given["secret"]))) == given["digest"]
    assert VECTORS["signed_roster"]["roster"]["lan"] == given["digest"]


def test_the_link_is_as_written() -> None:
    given = VECTORS["invite"]
    invite = Invite(NodeId(INVITER.node_id), COMMUNITY, tuple(given["endpoints"]), SECRET)

    assert (link_of(invite), invite_id(SECRET)) == (given["link"], given["id"])
    assert parse_link(given["link"]) == invite


def test_proofs_and_signature_are_as_written(said: Transcript) -> None:
    given = VECTORS["join"]

    assert transcript(said).decode() == given["transcript"]
    assert proof(SECRET, "joiner", said) == given["proof_of_joiner"]
    assert proof(SECRET, "inviter", said) == given["proof_of_inviter"]
    assert sign_transcript(JOINER, said) == given["signature"]


def test_the_greeting_is_as_written() -> None:
    given: dict[str, Any] = VECTORS["hello"]
    made = sign_hello(
        JOINER,
        INVITER.node_id,
        COMMUNITY,
        given["nonce"],
        mesh_port=given["mesh_port"],
        swarm_port=given["swarm_port"],
    )

    assert made == HelloRequest.model_validate_json(json.dumps(given))


def test_the_bounds_are_as_written() -> None:
    for promise in (
        f"| {answers.LARGEST_BODY // 1024} KiB |",
        f"| {hello.NEW_EACH:g} a second from one address (of IPv6: one /64), {hello.NEW_PER_SECOND:g} from all",
        f"{MOST_MEMBERS // 1000} 000 members of objects and arrays",
        f"| the newest {hello.MOST_NONCES}, {NONCE_SECONDS:g} s, one use |",
        f"| {SESSION_SECONDS} s, the newest {hello.SESSIONS_EACH} of a node |",
        f"| {giving.AT_ONCE_EACH} to one node, {giving.AT_ONCE} in all; else 429 |",
        f"for {GRACE_SECONDS:g} s more",
        f"one try within {invites.CHALLENGE_SECONDS:g} s",
    ):
        assert promise in PAGE
