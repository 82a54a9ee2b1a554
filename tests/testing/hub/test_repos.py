from pathlib import Path

from thorp.testing.hub.repos import Shelf


def test_a_commit_follows_from_what_is_in_it() -> None:
    one, other = Shelf(), Shelf()
    first = one.add("o/r", {"a": b"1"})
    assert len(first) == 40
    assert other.add("o/r", {"a": b"1"}) == first
    assert one.add("o/r", {"a": b"2"}) != first
    assert one.add("o/s", {"a": b"1"}) != first


def test_history_grows_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    shelf = Shelf()
    (tmp_path / "b").write_bytes(b"22")
    first = shelf.add("o/r", {"a": b"1", "b": tmp_path / "b"}, license="mit")
    second = shelf.add("o/r", {"a": b"one"}, downloads=5)
    third = shelf.add("o/r", {"a": None})
    back = shelf.add("o/r", {"a": b"1"})

    repo = shelf.repos["o/r"]
    sizes = [{path: one.size for path, one in commit.files.items()} for commit in repo.commits]
    assert sizes == [{"a": 1, "b": 2}, {"a": 3, "b": 2}, {"b": 2}, {"a": 1, "b": 2}]
    assert [one.id for one in repo.commits] == [first, second, third, back]
    assert len({first, second, third, back}) == 4
    assert (repo.about.license, repo.about.downloads) == ("mit", 5)
    assert [repo.at(one) for one in (first, "main", "refs/heads/main", "dev")] == [
        repo.commits[0],
        repo.head,
        repo.head,
        None,
    ]


def test_adding_what_is_there_makes_no_commit() -> None:
    shelf = Shelf()
    first = shelf.add("o/r", {"a": b"1"})
    assert shelf.add("o/r", {"a": b"1"}, likes=2) == first
    assert (len(shelf.repos["o/r"].commits), shelf.repos["o/r"].about.likes) == (1, 2)


def test_commits_have_dates_in_their_order() -> None:
    shelf = Shelf()
    shelf.add("o/r", {"a": b"1"})
    shelf.add("o/r", {"a": b"2"})
    assert [one.date for one in shelf.repos["o/r"].commits] == ["2025-01-01T00:00:00.000Z", "2025-01-01T00:01:00.000Z"]
    assert shelf.repos["o/r"].head.title == "Upload 1 files"


def test_a_repository_can_get_another_name() -> None:
    shelf = Shelf()
    shelf.add("o/old", {"a": b"1"})
    shelf.rename("o/old", "o/new")
    assert [one.name for one in shelf.everything()] == ["o/new"]
    assert shelf.renamed == {"o/old": "o/new"}
