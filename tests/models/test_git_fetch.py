"""A repository's files come into our folder; nothing else of it has any effect."""

import hashlib
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.repositories import GGUF, NEEDED, a_gguf, a_run, commit, git, repository
from thorp.models.git_fetch import Bounds, GitFetch, Wanted, WrongLargeFileError
from thorp.models.git_plan import BadRepositoryError
from thorp.models.git_run import CloneEndedError, GitFailedError, ProgramMissingError, RepositoryTooLargeError

pytestmark = NEEDED
CARD = b"---\nlicense: mit\n---\n"


def a_fetch(top: Path, folder: Path, bounds: Bounds | None = None) -> GitFetch:
    return GitFetch(a_run(top, folder), lambda *_: None, bounds or Bounds())


def found(fetch: GitFetch) -> list[str]:
    return sorted(one.relative_to(fetch.folder).as_posix() for one in fetch.folder.rglob("*") if not one.is_dir())


@pytest.mark.parametrize("lfs", ["*.gguf", ""])
def test_models_come_with_and_without_lfs(tmp_path: Path, lfs: str) -> None:
    data = a_gguf(tmp_path)
    folder = repository(tmp_path, {GGUF: data, "README.md": CARD, "run.py": b"evil()"}, lfs=lfs)
    fetch = a_fetch(tmp_path, folder)
    got = fetch.fetch(Wanted())

    assert found(fetch) == [GGUF]
    assert (got.folder / GGUF).read_bytes() == data
    assert (got.commit, got.card.license, got.card.gated) == (git(folder, "rev-parse", "HEAD"), "mit", False)


def test_a_branch_and_its_history(tmp_path: Path) -> None:
    folder = repository(tmp_path, {GGUF: a_gguf(tmp_path)})
    git(folder, "checkout", "--quiet", "-b", "next")
    (folder / GGUF).write_bytes(a_gguf(tmp_path, seed=1))
    latest = commit(folder)
    git(folder, "checkout", "--quiet", "main")
    fetch = a_fetch(tmp_path, folder)

    assert fetch.fetch(Wanted("next", depth=0)).commit == latest
    assert (fetch.folder / GGUF).read_bytes() == a_gguf(tmp_path, seed=1)


def test_large_files_can_be_skipped(tmp_path: Path) -> None:
    folder = repository(tmp_path, {GGUF: a_gguf(tmp_path)})
    fetch = a_fetch(tmp_path, folder)

    assert fetch.fetch(Wanted(skip_lfs=True)).left_out == ((GGUF, "Git LFS keeps it, and that was to be skipped"),)
    assert found(fetch) == []


def test_D51_hooks_filters_and_settings_of_a_repository_do_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    folder = repository(tmp_path, {GGUF: a_gguf(tmp_path)})
    (folder / ".lfsconfig").write_text(f"[lfs]\n\turl = file://{tmp_path}/elsewhere\n\tfetchexclude = *\n")
    (folder / ".gitattributes").write_text("*.gguf filter=evil\nREADME.md filter=evil export-subst\n")
    (folder / ".gitmodules").write_text(f'[submodule "x"]\n\tpath = x\n\turl = {tmp_path}/nowhere\n')
    (folder / ".gitconfig").write_text(
        f'[core]\n\tsshCommand = touch {trap}\n[filter "evil"]\n\tsmudge = touch {trap}\n'
    )
    (folder / "README.md").write_bytes(CARD)
    pointer = git(folder, "show", f"HEAD:{GGUF}").encode() + b"\n"
    git(folder, "config", "filter.evil.smudge", f"touch {trap}")
    git(folder, "config", "filter.evil.clean", "cat")
    (folder / GGUF).write_bytes(pointer)
    for hook in ("post-checkout", "post-merge", "pre-receive", "post-update"):
        (folder / ".git/hooks" / hook).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (folder / ".git/hooks" / hook).chmod(0o755)
    commit(folder)
    fetch = a_fetch(tmp_path, folder)
    fetch.fetch(Wanted())

    assert (found(fetch), (fetch.folder / GGUF).read_bytes()) == ([GGUF], a_gguf(tmp_path))
    assert not trap.exists()


def test_D51_a_symbolic_link_refuses_the_repository(tmp_path: Path) -> None:
    folder = repository(tmp_path, {GGUF: a_gguf(tmp_path)})
    (folder / "config.json").symlink_to("/etc/passwd")
    commit(folder)
    fetch = a_fetch(tmp_path, folder)

    with pytest.raises(BadRepositoryError, match="symbolic link"):
        fetch.fetch(Wanted())
    assert found(fetch) == []


def test_D51_a_tree_that_leads_out_is_refused(tmp_path: Path) -> None:
    """Git makes no such tree by itself, so this one is written by hand."""
    folder = repository(tmp_path, {GGUF: b"GGUF" * 600}, lfs="")
    blob = git(folder, "rev-parse", f"HEAD:{GGUF}")
    raw = b"100644 x.gguf\0" + bytes.fromhex(blob)
    inner = git(folder, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=raw)
    raw = b"40000 ..\0" + bytes.fromhex(inner)
    outer = git(folder, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=raw)
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", "-m", "x", outer))

    with pytest.raises(GitFailedError):
        a_fetch(tmp_path, folder).fetch(Wanted())
    assert not (tmp_path / "scratch/x.gguf").exists()


def test_D51_lfs_that_brings_other_bytes_is_refused(tmp_path: Path) -> None:
    data = a_gguf(tmp_path)
    folder = repository(tmp_path, {GGUF: data})
    name = hashlib.sha256(data).hexdigest()
    kept = folder / ".git/lfs/objects" / name[:2] / name[2:4] / name
    kept.chmod(0o644)
    kept.write_bytes(data[:-1] + b"\1")
    fetch = a_fetch(tmp_path, folder)

    with pytest.raises((WrongLargeFileError, GitFailedError)):
        fetch.fetch(Wanted())
    assert found(fetch) == []


def test_D51_more_than_is_taken_is_refused(tmp_path: Path) -> None:
    """A megabyte of nothing is a few hundred bytes in a pack; what comes out counts."""
    large = repository(tmp_path, {GGUF: b"GGUF" + bytes(1_000_000)}, lfs="")
    fetch = a_fetch(tmp_path, large, Bounds(git=500_000))

    with pytest.raises(RepositoryTooLargeError):
        fetch.fetch(Wanted())
    assert found(fetch) == []


def test_D51_more_in_lfs_than_is_taken_is_refused_before_it_comes(tmp_path: Path) -> None:
    folder = repository(tmp_path, {GGUF: a_gguf(tmp_path)})
    fetch = a_fetch(tmp_path, folder, Bounds(lfs=10))

    with pytest.raises(RepositoryTooLargeError):
        fetch.fetch(Wanted())
    assert not (fetch.run.bare / "lfs/objects").exists()


@pytest.mark.parametrize("branch", ["nowhere", "main^{tree}"])
def test_a_branch_that_is_not_there_is_told(tmp_path: Path, branch: str) -> None:
    folder = repository(tmp_path, {GGUF: b"x"}, lfs="")

    with pytest.raises(GitFailedError, match="Git could not bring org/Tiny-1B"):
        a_fetch(tmp_path, folder).fetch(Wanted(branch))


def test_without_git_lfs_the_remedy_is_told(tmp_path: Path) -> None:
    folder = repository(tmp_path, {GGUF: a_gguf(tmp_path)})
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or "")
    fetch = GitFetch(a_run(tmp_path, folder, programs=str(programs)), lambda *_: None)

    with pytest.raises(ProgramMissingError, match="--skip-lfs"):
        fetch.fetch(Wanted())


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    folder = repository(tmp_path, {GGUF: a_gguf(tmp_path)})
    programs = tmp_path / "bin"
    programs.mkdir()
    slow = programs / "git"
    slow.write_text("#!/bin/sh\nexec sleep 1000\n")
    slow.chmod(0o755)
    run = a_run(tmp_path, folder, programs=f"{programs}:/bin:/usr/bin")
    stop = threading.Event()
    stop.set()

    with pytest.raises(CloneEndedError):
        GitFetch(replace(run, stop=stop), lambda *_: None).fetch(Wanted())
