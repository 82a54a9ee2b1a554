"""What is noted of a file on its way is true at any moment, whoever dies."""

import itertools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.files import FileFaultError, FileMissingError
from thorp.models.cache import StrangeFileError
from thorp.models.partial import BLOCK, LOCK, Blocks, Partial, boot, bytes_noted, read_note

SIZE = 5 * BLOCK + 7
SIZES = st.integers(0, 12 * BLOCK)
HOLDER = """
import sys
from pathlib import Path
from thorp.models.partial import Partial
partial = Partial.held(Path(sys.argv[1]), int(sys.argv[2]))
print("none" if partial is None else "held", flush=True)
sys.stdin.read()
"""


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, list[tuple[bool, int, int]]]:
    size = draw(SIZES)
    ends = st.tuples(st.booleans(), st.integers(0, size), st.integers(0, size))
    return size, [(here, *sorted((one, other))) for here, one, other in draw(st.lists(ends, max_size=8))]


def changed(size: int, changes: list[tuple[bool, int, int]]) -> tuple[Blocks, list[int]]:
    """Blocks after these changes, and how many bytes of each one have come without a gap, counted another way."""
    blocks = Blocks(size)
    model = [0] * -(-size // BLOCK)
    for here, first, end in changes:
        (blocks.mark if here else blocks.clear)(first, end)
        for number in range(len(model)):
            start, stop = number * BLOCK, min(size, (number + 1) * BLOCK)
            if here and first <= start < end:
                model[number] = max(model[number], min(stop, end) - start)
            if not here and first < end and first < stop and start < end:
                model[number] = 0
    return blocks, model


def whole(size: int, model: list[int]) -> list[bool]:
    return [came == min(BLOCK, size - at * BLOCK) for at, came in enumerate(model)]


@given(ranges())
def test_a_block_is_here_when_all_of_it_came_and_its_head_before(
    given_: tuple[int, list[tuple[bool, int, int]]],
) -> None:
    size, changes = given_
    blocks, model = changed(size, changes)

    assert [bool(one) for one in blocks.marks] == whole(size, model)
    assert blocks.bytes_here == sum(model)
    assert [blocks.head(at * BLOCK) for at, here in enumerate(blocks.marks) if not here] == [
        came for came, here in zip(model, blocks.marks, strict=True) if not here
    ]


@given(ranges())
def test_runs_follow_one_another_and_agree_with_the_blocks(given_: tuple[int, list[tuple[bool, int, int]]]) -> None:
    size, changes = given_
    blocks, model = changed(size, changes)
    runs = list(blocks.runs(0, size))

    assert [one.first for one in runs[1:]] == [one.end for one in runs[:-1]]
    assert (runs[0].first, runs[-1].end) == (0, size) if runs else size == 0
    assert all(one.here is whole(size, model)[at // BLOCK] for one in runs for at in range(one.first, one.end, BLOCK))
    assert all(one.here is not other.here for one, other in itertools.pairwise(runs))


@given(ranges())
def test_what_is_said_is_understood(given_: tuple[int, list[tuple[bool, int, int]]]) -> None:
    size, changes = given_
    blocks, _ = changed(size, changes)
    again = Blocks(size)

    again.restore(json.loads(json.dumps(blocks.spans())), [list(one) for one in blocks.heads.items()])

    assert (again.marks, again.heads) == (blocks.marks, blocks.heads)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda one: st.lists(one, max_size=4)
)


@given(SIZES, JSON | st.lists(st.lists(st.integers(-1, 13), min_size=2, max_size=2)), JSON)
def test_garbage_for_spans_and_heads_is_passed_over(size: int, said: object, heads: object) -> None:
    blocks = Blocks(size)

    blocks.restore(said, heads)
    blocks.restore(said, said)

    assert len(blocks.marks) == -(-size // BLOCK)
    assert 0 <= blocks.bytes_here <= size


def a_partial(folder: Path, size: int = SIZE) -> Partial:
    partial = Partial.held(folder, size)
    assert partial is not None
    partial.open()
    return partial


def written(folder: Path, *blocks: int, synced: bool = False) -> Partial:
    """A partial in which these blocks came, and are noted."""
    partial = a_partial(folder)
    for one in blocks:
        end = min(SIZE, (one + 1) * BLOCK)
        partial.write(memoryview(bytes([one + 1]) * (end - one * BLOCK)), one * BLOCK)
        partial.blocks.mark(one * BLOCK, end)
    partial.by_source["hub"] = partial.blocks.bytes_here
    if synced:
        partial.sync()
    partial.note()
    return partial


def rewrite(folder: Path, **changes: object) -> None:
    note = read_note(folder) or {}
    (folder / "progress.json").write_text(json.dumps(note | changes))


def reopened(folder: Path) -> list[list[int]]:
    partial = a_partial(folder)
    try:
        return partial.blocks.spans()
    finally:
        partial.release()


def test_C35_what_is_here_survives_the_process(tmp_path: Path) -> None:
    written(tmp_path, 0, 1, 5).release()

    partial = a_partial(tmp_path)
    into = memoryview(bytearray(8))
    partial.read(into, 5 * BLOCK)

    assert partial.blocks.spans() == [[0, 2], [5, 6]]
    assert partial.by_source == {"hub": 2 * BLOCK + 7}
    assert bytes(into) == b"\6" * 7 + b"\0", "what is not there stays as it was"
    assert bytes_noted(tmp_path, SIZE) == 2 * BLOCK + 7
    assert partial.data.stat().st_size == SIZE
    partial.release()


def test_C36_after_another_start_of_the_machine_only_what_was_synced_counts(tmp_path: Path) -> None:
    partial = written(tmp_path, 0, 2, synced=True)
    partial.blocks.mark(3 * BLOCK, 5 * BLOCK)
    partial.note()
    partial.release()
    assert reopened(tmp_path) == [[0, 1], [2, 5]]

    rewrite(tmp_path, boot="another")

    assert reopened(tmp_path) == [[0, 1], [2, 3]]


def test_C35_the_head_of_a_block_counts_until_the_machine_ends(tmp_path: Path) -> None:
    partial = written(tmp_path, 0, synced=True)
    partial.write(memoryview(b"head"), BLOCK)
    partial.blocks.mark(0, BLOCK + 4)
    partial.note()
    partial.release()
    assert bytes_noted(tmp_path, SIZE) == BLOCK + 4

    partial = a_partial(tmp_path)
    assert partial.blocks.head(BLOCK) == 4
    partial.release()
    rewrite(tmp_path, boot="another")
    partial = a_partial(tmp_path)
    assert (partial.blocks.head(BLOCK), partial.blocks.bytes_here) == (0, BLOCK)
    partial.release()


def test_C36_what_was_never_synced_is_fetched_again(tmp_path: Path) -> None:
    written(tmp_path, 0, 1, 2).release()
    rewrite(tmp_path, boot="another")

    assert reopened(tmp_path) == []


def test_C42_a_data_file_that_was_cut_off_loses_what_lay_behind(tmp_path: Path) -> None:
    written(tmp_path, 0, 1, 2, 3).release()
    os.truncate(tmp_path / "data", 2 * BLOCK + 5)

    assert reopened(tmp_path) == [[0, 2]]


def test_a_note_without_its_bytes_is_worth_nothing(tmp_path: Path) -> None:
    written(tmp_path, 0, 1).release()
    (tmp_path / "data").unlink()

    assert reopened(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"here"', "[" * 100_000, '{"size": 5}', "\0\1\2", f'{{"size": {SIZE}, "here": [[0, 99]]}}'],
)
def test_a_note_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    written(tmp_path, 0, 1).release()
    (tmp_path / "progress.json").write_text(text)

    assert reopened(tmp_path) == []
    assert bytes_noted(tmp_path, SIZE) == 0


@pytest.mark.parametrize("said", [[1], "hub", 5, None, {"hub": "many"}, {"elsewhere": 5}, {"hub": -1}, {"hub": [1]}])
def test_sources_that_nobody_knows_are_passed_over(tmp_path: Path, said: object) -> None:
    written(tmp_path, 0).release()
    rewrite(tmp_path, by_source=said)

    partial = a_partial(tmp_path)

    assert partial.by_source == {}
    assert partial.blocks.spans() == [[0, 1]]
    partial.release()


def test_a_note_about_another_size_counts_as_none(tmp_path: Path) -> None:
    written(tmp_path, 0).release()
    partial = a_partial(tmp_path, SIZE + 1)

    assert partial.blocks.bytes_here == 0
    partial.release()


def test_starting_over_forgets_everything(tmp_path: Path) -> None:
    partial = written(tmp_path, 0, 1, synced=True)

    partial.start_over()

    assert (partial.blocks.bytes_here, partial.by_source) == (0, {})
    assert read_note(tmp_path) is None
    partial.release()
    assert reopened(tmp_path) == []


def test_C39_only_one_process_works_on_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path), str(SIZE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert Partial.held(tmp_path, SIZE) is None
        other.kill()
        other.wait()

    mine = Partial.held(tmp_path, SIZE)
    assert mine is not None
    again = subprocess.run(command, input="", capture_output=True, text=True, check=True)
    assert again.stdout == "none\n"
    mine.release()


def test_discarding_leaves_nothing_of_ours_behind(tmp_path: Path) -> None:
    partial = written(tmp_path / ".thorp" / "partial" / "abc", 0)

    partial.discard()
    partial.release()

    assert list(tmp_path.iterdir()) == []


def test_C43_discarding_removes_nothing_that_is_not_ours(tmp_path: Path) -> None:
    folder = tmp_path / ".thorp" / "partial" / "abc"
    partial = written(folder, 0)
    (folder / "strange").mkdir()
    (folder / "strange" / "file").write_text("x")

    partial.discard()
    partial.release()

    assert [one.name for one in folder.iterdir()] == ["strange"]
    assert (folder / "strange" / "file").read_text() == "x"


@pytest.mark.parametrize("planted", [".thorp", ".thorp/partial", ".thorp/partial/abc"])
def test_C43_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path, planted: str) -> None:
    (tmp_path / "elsewhere" / "partial" / "abc").mkdir(parents=True)
    link = tmp_path / "models--org--repo" / planted
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StrangeFileError, match="is a link"):
        Partial.held(tmp_path / "models--org--repo" / ".thorp" / "partial" / "abc", 5)

    assert [one.name for one in tmp_path.rglob("lock")] == []


def test_C43_the_note_is_not_written_through_a_link(tmp_path: Path) -> None:
    folder, precious = tmp_path / ".thorp" / "partial" / "abc", tmp_path / "precious"
    precious.write_text("mine")
    partial = written(folder, 0)
    (folder / "progress.new").symlink_to(precious)

    with pytest.raises(FileFaultError):
        partial.note()
    partial.release()

    assert precious.read_text() == "mine"


def test_discarding_leaves_the_neighbour_alone(tmp_path: Path) -> None:
    other = written(tmp_path / ".thorp" / "partial" / "other", 0)
    mine = written(tmp_path / ".thorp" / "partial" / "mine", 0)

    mine.discard()
    mine.release()

    assert [one.name for one in (tmp_path / ".thorp" / "partial").iterdir()] == ["other"]
    assert other.blocks.bytes_here == BLOCK
    other.release()


def test_C39_who_comes_while_it_is_cleared_away_begins_anew_or_waits(tmp_path: Path) -> None:
    """Four that take, use and discard one partial at once: never two at a time, and nobody fails."""
    folder, inside, failures = tmp_path / "a" / "b" / "c", threading.Lock(), list[BaseException]()

    def work() -> None:
        try:
            for _ in range(150):
                partial = Partial.held(folder, 10)
                if partial is None:
                    continue
                assert inside.acquire(blocking=False), "two had it at once"
                partial.open()
                partial.note()
                assert (folder / "data").exists()
                inside.release()
                partial.discard()
                partial.release()
        except BaseException as error:  # noqa: BLE001  (told to the test below)
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert failures == []


def test_C43_a_link_in_the_place_of_its_files_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    folder = tmp_path / "partial"
    folder.mkdir()
    (folder / "data").symlink_to(target)
    partial = Partial.held(folder, SIZE)
    assert partial is not None

    with pytest.raises(FileFaultError):
        partial.open()
    partial.release()
    (folder / LOCK).unlink()
    (folder / LOCK).symlink_to(target)
    with pytest.raises(FileFaultError):
        Partial.held(folder, SIZE)
    assert target.read_bytes() == b"precious"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(FileMissingError, match="Cannot lock"):
        Partial.held(tmp_path / "file" / "partial", 5)


def test_the_start_of_the_machine_has_a_name() -> None:
    assert boot() == boot()
