import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from thorp.base.ulid import new_ulid
from thorp.models.plan import PullPlan
from thorp.models.records import (
    LARGEST,
    MOST_ENDED,
    BadRecordError,
    NoSuchTransferError,
    Record,
    RecordBook,
    State,
)
from thorp.models.types import Format, RemoteFile
from thorp.testing.clock import FakeClock, FakeRandomness

CLOCK, CHANCE = FakeClock(), FakeRandomness()


def a_plan(artifact: str = "Model-Q4", **more: Any) -> PullPlan:
    file = RemoteFile("Model-Q4.gguf", 100, "a" * 64, "a" * 64)
    plan = PullPlan("org/repo", "org/repo", "b" * 40, "main", "model:7b:base:q4", "q4", artifact, Format.GGUF, (file,))
    return replace(plan, **more)


def a_record(state: State = State.QUEUED, key: str = "", **more: Any) -> Record:
    CLOCK.advance(1)
    id_ = new_ulid(CLOCK, CHANCE)
    now = "2026-01-01T00:00:00.000Z"
    record = Record(
        id_, key or id_, "org/repo", "model:7b:base:q4", "org/repo", "b" * 40, 100, state, created=now, updated=now
    )
    return replace(record, **more)


@pytest.fixture
def book(tmp_path: Path) -> RecordBook:
    book = RecordBook(tmp_path / "transfers")
    book.open()
    return book


def test_what_is_kept_is_read_again(book: RecordBook) -> None:
    plan = a_plan(projector="Model-Q4.gguf", license="mit", gated=True, parameters=7)
    error = {"code": "models.no_room", "message": "No room.", "details": {"exit_code": 7}}
    record = a_record(key=plan.key, by_source={"hub": 5}, error=error, eta=1.5)

    assert book.begin(record, plan) == record
    assert RecordBook(book._folder).get(record.id) == record
    assert book.plan(record.id) == plan


def test_noting_and_writing_keep_the_same(book: RecordBook) -> None:
    record = a_record()
    book.write(record)
    book.note(record.now(done=7))

    assert book.get(record.id).done == 7
    assert sorted(one.name for one in book._folder.iterdir()) == [f"{record.id}.json"]


def test_the_newest_is_listed_first(book: RecordBook) -> None:
    records = [a_record() for _ in range(3)]
    for record in records:
        book.write(record)

    assert book.every() == tuple(reversed(records))


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert RecordBook(tmp_path / "nowhere").every() == ()


@pytest.mark.parametrize(
    "id_", ["../x", "", "x", "i" * 26, "8" + "0" * 25, "0" * 25, "0" * 27, "0" * 25 + "/", "0" * 25 + "\0", "…" * 26]
)
def test_what_is_no_id_names_no_transfer(book: RecordBook, id_: str) -> None:
    (book._folder.parent / "x.json").write_text(json.dumps(asdict(a_record())))
    with pytest.raises(NoSuchTransferError) as caught:
        book.get(id_)
    assert (caught.value.exit_code, caught.value.code) == (3, "transfers.no_such")


def broken() -> dict[str, bytes]:
    whole = asdict(a_record())
    fields = {
        "total": "many", "done": -1, "rate": True, "note": 5, "by_source": [1], "state": "flying",
        "error": "bad", "limit": 1 << 64, "eta": "soon", "model_id": None, "created": 1,
    }  # fmt: skip
    wrong = {name: json.dumps(whole | {name: value}).encode() for name, value in fields.items()}
    return wrong | {
        "half written": json.dumps(whole).encode()[:100],
        "empty": b"",
        "zeros": bytes(200),
        "no object": b"[]",
        "a field too many": json.dumps(whole | {"new": 1}).encode(),
        "a field too few": json.dumps({name: value for name, value in whole.items() if name != "repo"}).encode(),
        "error without details": json.dumps(whole | {"error": {"code": "x", "message": "y"}}).encode(),
        "sources that count nothing": json.dumps(whole | {"by_source": {"hub": "x"}}).encode(),
        "eta without end": json.dumps(whole | {"eta": float("inf")}).encode(),
        "nested": b"[" * 100_000,
        "no text": b"\xff\xfe",
        "of another": json.dumps(whole).encode(),
    }


@pytest.mark.parametrize("what", broken())
def test_a_record_that_cannot_be_read_is_passed_over(book: RecordBook, what: str) -> None:
    fine, damaged = a_record(), a_record()
    book.write(fine)
    content = broken()[what]
    if what != "of another":
        content = content.replace(json.loads(broken()["of another"])["id"].encode(), damaged.id.encode())
    (book._folder / f"{damaged.id}.json").write_bytes(content)

    assert book.every() == (fine,)
    with pytest.raises(NoSuchTransferError):
        book.get(damaged.id)


def test_a_record_that_is_no_file_or_too_large_is_passed_over(book: RecordBook) -> None:
    fine, folder, huge = a_record(), a_record(), a_record()
    book.write(fine)
    (book._folder / f"{folder.id}.json").mkdir()
    with (book._folder / f"{huge.id}.json").open("wb") as file:
        file.truncate(LARGEST + 1)

    assert book.every() == (fine,)


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b'{"files": 5}', b'{"files": [{"path": "x"}]}', b"[" * 100_000]
)
def test_a_plan_that_cannot_be_read_says_what_to_do(book: RecordBook, content: bytes | None) -> None:
    record = a_record()
    book.begin(record, a_plan())
    at = book._folder / f"{record.id}.plan"
    at.unlink() if content is None else at.write_bytes(content)

    with pytest.raises(BadRecordError, match="Cancel it and pull again"):
        book.plan(record.id)


@pytest.mark.parametrize(
    ("field", "value"), [("repo", "../.."), ("revision", "../x"), ("path", "../../x"), ("blob", "../x")]
)
def test_a_plan_never_leads_out_of_the_models_folder(book: RecordBook, field: str, value: str) -> None:
    record = a_record()
    book.begin(record, a_plan())
    at = book._folder / f"{record.id}.plan"
    given = json.loads(at.read_text())
    (given["files"][0] if field in given["files"][0] else given)[field] = value
    at.write_text(json.dumps(given))

    with pytest.raises(BadRecordError):
        book.plan(record.id)


def test_a_second_beginning_of_one_artifact_joins_the_first(book: RecordBook) -> None:
    plan = a_plan()
    first = book.begin(a_record(key=plan.key), plan)

    assert book.begin(a_record(key=plan.key), plan) == first
    book.write(first.now(state=State.FAILED))
    assert book.begin(a_record(key=plan.key), plan) != first


def test_C39_of_many_that_begin_at_once_one_begins(book: RecordBook) -> None:
    plan = a_plan()
    records = [a_record(key=plan.key) for _ in range(12)]
    with ThreadPoolExecutor(6) as threads:
        begun = set(threads.map(lambda one: RecordBook(book._folder).begin(one, plan).id, records))

    assert begun == {one.id for one in book.every()}
    assert len(begun) == 1


def test_one_carries_and_whoever_ends_lets_go(book: RecordBook) -> None:
    record = a_record()
    other = RecordBook(book._folder)
    assert not book.is_carried(record.id)
    carrying = book.carry(record.id)
    assert carrying is not None
    assert (other.carry(record.id), book.carry(record.id)) == (None, None)
    assert other.is_carried(record.id)

    carrying.let_go()
    carrying.let_go()

    assert not other.is_carried(record.id)
    again = other.carry(record.id)
    assert again is not None
    again.let_go()


def test_who_only_looks_is_never_taken_for_a_carrier(book: RecordBook) -> None:
    record = a_record()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            RecordBook(book._folder).is_carried(record.id)

    with ThreadPoolExecutor(2) as threads:
        looking = [threads.submit(look) for _ in range(2)]
        for _ in range(100):
            carrying = book.carry(record.id)
            assert carrying is not None
            carrying.let_go()
            assert book.is_carried(record.id) is False
        done.set()
        [one.result() for one in looking]


def test_a_wish_reaches_one_and_the_latest_counts(book: RecordBook) -> None:
    record = a_record()
    assert book.take_wish(record.id) is None
    book.wish(record.id, "pause")
    book.wish(record.id, "cancel")
    book.wish_limit(record.id, 5)

    assert (book.take_wish(record.id), book.take_wish(record.id)) == ("cancel", None)
    assert (book.take_limit(record.id), book.take_limit(record.id)) == (5, None)


@pytest.mark.parametrize("content", [b"", b"fast", b"-1", b"9" * 100_000, b"\xff", "²".encode()])
def test_a_wish_that_makes_no_sense_is_none(book: RecordBook, content: bytes) -> None:
    record = a_record()
    (book._folder / f"{record.id}.limit").write_bytes(content)
    (book._folder / f"{record.id}.wish").write_bytes(content)

    limit, wish = book.take_limit(record.id), book.take_wish(record.id)

    assert limit is None
    assert wish is not None
    assert len(wish) <= 64


def test_the_oldest_that_ended_are_forgotten_and_no_other(book: RecordBook) -> None:
    live = [a_record(state) for state in (State.PAUSED, State.ACTIVE)]
    ended = [a_record(State.DONE) for _ in range(MOST_ENDED + 3)]
    for record in (*live, *ended):
        book.begin(record, a_plan())

    book.tidy()

    assert {one.id for one in book.every()} == {one.id for one in (*live, *ended[3:])}
    assert not list(book._folder.glob(f"{ended[0].id}*"))
