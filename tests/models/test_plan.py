"""What a pull is going to bring is the same after it was kept, and nothing that was tampered with is taken."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.errors import ThorpError
from thorp.models.plan import PullPlan, parse_plan, plan_data, plan_of
from thorp.models.types import Candidate, Format, RemoteFile, RemoteRepo

WEIGHTS = RemoteFile("a/m-Q4_K_M.gguf", 100, "b" * 64, "b" * 64)
EYES = RemoteFile("mmproj.gguf", 7, "c" * 40)
CHOSEN = Candidate("m:7b:base:q4_k_m", "q4_k_m", "m-Q4_K_M", Format.GGUF, (WEIGHTS,), EYES)
LISTED = RemoteRepo("org/repo", "a" * 40, (WEIGHTS, EYES), license="mit", gated=True, parameters=7)
PLAN = plan_of("org/repo:Q4_K_M", LISTED, CHOSEN, "main")


def kept(plan: PullPlan) -> PullPlan:
    return parse_plan(json.loads(json.dumps(plan_data(plan))))


def test_a_plan_says_what_was_chosen_of_a_repository() -> None:
    assert (PLAN.repo, PLAN.revision, PLAN.version, PLAN.ref) == ("org/repo", "a" * 40, "main", "org/repo:Q4_K_M")
    assert (PLAN.files, PLAN.projector, PLAN.size) == ((WEIGHTS, EYES), "mmproj.gguf", 107)
    assert (PLAN.license, PLAN.gated, PLAN.parameters) == ("mit", True, 7)
    assert PLAN.key == f"org/repo@{'a' * 40}/m-Q4_K_M"
    assert plan_of("x", LISTED, replace(CHOSEN, projector=None), "main").projector is None


@given(
    st.text(max_size=30),
    st.integers(0, 1 << 50),
    st.booleans(),
    st.none() | st.text(max_size=9),
    st.sampled_from(Format),
)
def test_what_is_kept_comes_back_the_same(ref: str, size: int, gated: bool, license_: str | None, kind: Format) -> None:
    plan = replace(PLAN, ref=ref, gated=gated, license=license_, format=kind, files=(replace(WEIGHTS, size=size), EYES))

    assert kept(plan) == plan


@pytest.mark.parametrize(
    "changes",
    [
        {"repo": "../../etc"},
        {"repo": "org/../repo"},
        {"revision": "main"},
        {"revision": "../" * 14},
        {"format": "pickle"},
        {"files": [{"path": "../x.gguf", "size": 1, "blob": "b" * 64}]},
        {"files": [{"path": "/etc/x.gguf", "size": 1, "blob": "b" * 64}]},
        {"files": [{"path": "x.gguf", "size": 1, "blob": "../../../x"}]},
        {"files": [{"path": "x.gguf", "size": 1, "blob": "B" * 64}]},
        {"files": [{"path": "x.gguf"}]},
        {"files": ["x.gguf"]},
        {"files": None},
        {"more": 1},
    ],
)
def test_C43_what_was_tampered_with_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, ThorpError)):
        parse_plan(plan_data(PLAN) | changes)
