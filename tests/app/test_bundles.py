"""A model of this home, written into one file that another home can take."""

import tarfile
from pathlib import Path

import pytest

from thorp.app.bundles import export_here
from thorp.app.environment import Environment
from thorp.app.paths import paths_of
from thorp.models.library import NoSuchModelError
from thorp.testing.library import a_library, an_artifact


def test_a_model_is_found_by_its_ref_and_written_whole(tmp_path: Path) -> None:
    receipt = an_artifact(a_library(tmp_path))
    target = tmp_path / "stick.tar"
    told: list[tuple[str, int, int]] = []

    answer = export_here(
        paths_of(Environment(home=tmp_path)),
        Environment(home=tmp_path),
        receipt.model_id,
        target,
        lambda *progress: told.append(progress),
    )

    assert answer == {
        "ref": receipt.model_id,
        "model_id": receipt.model_id,
        "file": str(target),
        "size_bytes": target.stat().st_size,
    }
    with tarfile.open(target) as bundle:
        assert {f"files/{one.path}" for one in receipt.files} <= set(bundle.getnames())
    assert told[-1][1] == told[-1][2]


def test_what_is_not_here_is_not_written(tmp_path: Path) -> None:
    a_library(tmp_path)
    target = tmp_path / "stick.tar"

    with pytest.raises(NoSuchModelError):
        export_here(
            paths_of(Environment(home=tmp_path)), Environment(home=tmp_path), "org/none", target, lambda *_: None
        )

    assert not target.exists()
