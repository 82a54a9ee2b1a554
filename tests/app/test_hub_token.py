import stat
from pathlib import Path

import pytest

from thorp.app.environment import Environment
from thorp.app.hub_token import LONGEST, BadTokenError, forget_token, keep_token, kept_token
from thorp.app.paths import Paths, make_folders, paths_of


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_of(Environment(home=tmp_path / "home"))


def test_a_token_is_kept_for_the_owner_alone(paths: Paths) -> None:
    assert kept_token(paths.hub_token) is None
    keep_token(paths, " hf_abc\n")

    assert kept_token(paths.hub_token) == "hf_abc"
    assert stat.S_IMODE(paths.hub_token.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.hub_token.parent.stat().st_mode) == 0o700


def test_another_token_takes_its_place_with_the_same_rights(paths: Paths) -> None:
    make_folders(paths)
    paths.hub_token.write_text("hf_old")
    paths.hub_token.chmod(0o644)
    keep_token(paths, "hf_new")

    assert kept_token(paths.hub_token) == "hf_new"
    assert stat.S_IMODE(paths.hub_token.stat().st_mode) == 0o600


def test_it_can_be_forgotten_once(paths: Paths) -> None:
    keep_token(paths, "hf_abc")

    assert forget_token(paths)
    assert not forget_token(paths)
    assert kept_token(paths.hub_token) is None


@pytest.mark.parametrize("text", ["", "  \n", "two words", "hf_\u00fc", "hf_\x00", "hf_a\nb", "x" * (LONGEST + 1)])
def test_what_is_no_token_is_refused_and_not_repeated(paths: Paths, text: str) -> None:
    with pytest.raises(BadTokenError) as caught:
        keep_token(paths, text)
    assert caught.value.exit_code == 2
    assert not paths.hub_token.exists()
    assert text.strip() == "" or text not in caught.value.message


@pytest.mark.parametrize("content", [b"hf_\xff", b"two words", "hf_ü".encode(), b"hf_a\r\nX-Header: 1"])
def test_a_file_that_holds_no_token_is_never_sent(paths: Paths, content: bytes) -> None:
    make_folders(paths)
    paths.hub_token.write_bytes(content)

    with pytest.raises(BadTokenError, match="thorp login hub"):
        kept_token(paths.hub_token)


def test_an_empty_file_is_no_token(paths: Paths) -> None:
    make_folders(paths)
    paths.hub_token.write_text("\n")

    assert kept_token(paths.hub_token) is None
