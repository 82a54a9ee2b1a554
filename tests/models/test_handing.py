"""An engine hands out what is wanted, and nothing else, also after something went wrong."""

from dataclasses import dataclass, field

import pytest

from thorp.base.errors import TryAgainError
from thorp.models.handing import Handing

ONE, TWO = b"1" * 20, b"2" * 20


@dataclass
class Engine:
    """Remembers what it was told. What is broken it does not name among its seeds."""

    running: dict[bytes, str] = field(default_factory=dict)
    broken: set[bytes] = field(default_factory=set)
    told: list[str] = field(default_factory=list)
    looks: int = 0
    failure: Exception | None = None

    def unseed(self, infohash: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        self.told.append(f"unseed {infohash[:1].decode()}")
        self.running.pop(infohash, None)

    def seeds(self) -> frozenset[bytes]:
        self.looks += 1
        return frozenset(self.running.keys() - self.broken)

    def seed(self, infohash: bytes, one: str) -> None:
        if one == "refused":
            raise OSError(one)
        self.told.append(f"seed {one}")
        self.running[infohash] = one


def follow(handing: Handing[str], engine: Engine, *wanted: str) -> list[str]:
    """What an engine is told so that these are handed out."""
    engine.told.clear()
    handing.follow(engine, {one[:1].encode() * 20: one for one in wanted}, engine.seed)
    return list(engine.told)


def test_what_changed_is_begun_anew_and_the_rest_stays() -> None:
    handing, engine = Handing[str](), Engine()

    assert follow(handing, engine, "1 here", "2") == ["seed 1 here", "seed 2"]
    assert follow(handing, engine, "1 here", "2") == []
    assert follow(handing, engine, "1 there", "2") == ["unseed 1", "seed 1 there"]
    assert follow(handing, engine, "2") == ["unseed 1"]


def test_what_is_broken_is_begun_again_and_cut_when_it_is_not_wanted() -> None:
    handing, engine = Handing[str](), Engine()
    follow(handing, engine, "1", "2")
    engine.broken.add(ONE)

    assert follow(handing, engine, "1", "2") == ["seed 1"]
    assert follow(handing, engine, "2") == ["unseed 1"]
    assert engine.running == {TWO: "2"}


def test_what_an_engine_hands_out_and_nobody_remembers_is_cut() -> None:
    handing, engine = Handing[str](), Engine({ONE: "1", TWO: "2"})

    assert sorted(follow(handing, engine, "1")) == ["seed 1", "unseed 1", "unseed 2"]


def test_after_a_failure_in_the_middle_nothing_stays_that_is_not_wanted() -> None:
    handing, engine = Handing[str](), Engine()
    follow(handing, engine, "1")
    engine.failure = TryAgainError("gone")
    with pytest.raises(TryAgainError):
        follow(handing, engine, "2")
    engine.failure = None
    follow(handing, engine)

    assert engine.running == {}


def test_one_that_fails_keeps_back_no_other(caplog: pytest.LogCaptureFixture) -> None:
    handing, engine = Handing[str](), Engine()
    handing.follow(engine, {ONE: "refused", TWO: "2"}, engine.seed)

    assert engine.running == {TWO: "2"}
    assert "is not handed out" in caplog.text


def test_an_engine_is_asked_a_few_times_and_not_for_each() -> None:
    handing, engine = Handing[str](), Engine()
    handing.follow(engine, {bytes([number]) * 20: str(number) for number in range(99)}, engine.seed)

    assert engine.looks < 5


def test_a_new_engine_gets_everything_anew() -> None:
    handing = Handing[str]()
    follow(handing, Engine(), "1")

    assert follow(handing, Engine(), "1") == ["seed 1"]
    handing.forget()
    assert follow(handing, Engine(), "1") == ["seed 1"]
