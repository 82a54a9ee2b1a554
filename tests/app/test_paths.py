import os
import stat
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from thorp.app.environment import Environment
from thorp.app.paths import ForeignFolderError, HomeTooDeepError, Paths, check_private, make_folders, paths_of


def places(home: Path, runtime_dir: Path | None = None) -> Paths:
    return paths_of(Environment(home=home, runtime_dir=runtime_dir))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_holds_everything_under_one_root() -> None:
    home = Path("/srv/thorp")
    paths = places(home)

    assert paths.config_file == home / "config.toml"
    assert paths.keys == home / "keys"
    assert paths.db == home / "data/thorp.db"
    assert paths.socket == home / "run/api.sock"
    assert paths.owner_token == home / "run/owner.token"
    assert paths.pid == home / "run/pid"
    assert paths.lock == home / "run/lock"
    assert paths.logs == home / "logs"
    assert paths.library == home / "data/library.db"
    assert paths.hub_token == home / "keys/hub.token"


def test_without_a_home_the_system_folders_are_used_and_run_does_not_depend_on_the_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    paths = paths_of(Environment())

    assert paths.config_file.name == "config.toml"
    assert paths.config_file.is_relative_to(tmp_path)
    assert paths.run == paths.root / "run"
    assert paths.run == paths_of(Environment(runtime_dir=Path("/run/user/1"))).run


def test_every_place_has_a_name() -> None:
    paths = places(Path("/srv/thorp"))

    assert set(paths.named().values()) >= {paths.root, paths.config_file, paths.socket, paths.lock, paths.logs}


def test_a_socket_path_that_is_too_long_moves_run_but_never_the_lock(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 30)
    session = Path("/run/user/1000")

    in_session, without = places(home, session), places(home)

    assert in_session.run.parent == session
    assert without.run.parent == Path(tempfile.gettempdir())
    assert in_session.run.name == without.run.name
    assert in_session.lock == without.lock == home / "run/lock"
    assert places(tmp_path / ("deeper" * 20)).run != without.run


def test_the_limit_is_one_hundred_bytes_not_characters() -> None:
    fits = Path("/" + "a" * (100 - len("//run/api.sock")))

    assert places(fits).run == fits / "run"
    assert places(fits.with_name(fits.name + "a")).run != fits.with_name(fits.name + "a") / "run"
    assert places(Path("/" + "ä" * 50)).run.parent == Path(tempfile.gettempdir())


def test_where_nothing_is_short_enough_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("deep" * 30)))

    with pytest.raises(HomeTooDeepError, match="Set THORP_HOME"):
        places(tmp_path / ("deep" * 30))


def test_folders_are_made_for_the_owner_alone_and_made_once(tmp_path: Path) -> None:
    paths = places(tmp_path / "home")

    make_folders(paths)
    (paths.keys / "node.key").write_text("seed")
    make_folders(paths)

    for folder in (paths.root, paths.keys, paths.data, paths.run, paths.logs):
        assert mode(folder) == 0o700
    assert (paths.keys / "node.key").read_text() == "seed"


def test_a_moved_run_folder_is_made_beside_the_lock(tmp_path: Path) -> None:
    session = tmp_path / "session"
    paths = places(tmp_path / ("deep" * 30), session)

    # The session folder of a test is long itself, so the place is named here.
    paths = Paths(paths.root, paths.config_file, paths.keys, paths.data, session / "thorp-1", paths.lock, paths.logs)
    make_folders(paths)

    assert mode(session / "thorp-1") == 0o700
    assert mode(paths.lock.parent) == 0o700


@pytest.mark.parametrize("found", [0o755, 0o710, 0o701, 0o740, 0o704])
def test_a_folder_that_others_could_read_is_tightened(tmp_path: Path, found: int) -> None:
    paths = places(tmp_path)
    paths.keys.mkdir()
    paths.keys.chmod(found)

    make_folders(paths)

    assert mode(paths.keys) == 0o700


@pytest.mark.parametrize("found", [0o777, 0o702, 0o720])
@pytest.mark.parametrize("name", ["root", "keys", "data", "run", "logs"])
def test_a_folder_that_others_could_write_is_refused(tmp_path: Path, name: str, found: int) -> None:
    paths = places(tmp_path)
    folder: Path = getattr(paths, name)
    folder.mkdir(exist_ok=True)
    folder.chmod(found)

    with pytest.raises(ForeignFolderError, match="chmod 700"):
        make_folders(paths)
    with pytest.raises(ForeignFolderError):
        check_private(folder)


@pytest.mark.parametrize("name", ["root", "keys", "data", "run", "logs"])
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, name: str) -> None:
    paths = places(tmp_path)
    folder: Path = getattr(paths, name)
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, 12_345, 12_345)  # these tests run as root

    with pytest.raises(ForeignFolderError, match="not a folder of yours"):
        make_folders(paths)


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o1777, False), (0o755, False)])
def test_a_home_that_anybody_could_exchange_as_a_whole_is_refused(tmp_path: Path, mode: int, refused: bool) -> None:
    above = tmp_path / "above"
    above.mkdir()
    above.chmod(mode)

    with pytest.raises(ForeignFolderError, match="chmod o-w") if refused else nullcontext():
        make_folders(places(above / "below" / "home"))


def apart(folder: Path) -> Paths:
    """The platform's own places, where settings, data and logs lie in different folders."""
    root, config, logs = folder / "share", folder / "config", folder / "state"
    return Paths(root, config / "config.toml", root / "keys", root / "data", root / "run", root / "run/lock", logs)


@pytest.mark.parametrize("name", ["share", "config", "state"])
def test_each_of_several_places_has_to_be_private(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name).chmod(0o702)

    with pytest.raises(ForeignFolderError, match=f"chmod 700 .*{name}"):
        make_folders(apart(tmp_path))


def test_a_link_does_not_hide_that_anybody_could_exchange_the_home(tmp_path: Path) -> None:
    above = tmp_path / "above"
    (above / "home").mkdir(parents=True)
    (above / "home").chmod(0o700)
    above.chmod(0o777)
    (tmp_path / "link").symlink_to(above / "home")

    with pytest.raises(ForeignFolderError, match="chmod o-w"):
        make_folders(places(tmp_path / "link"))


def test_a_home_may_be_a_link_to_a_private_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / "home").symlink_to(elsewhere)

    make_folders(places(tmp_path / "home"))

    assert (elsewhere / "keys").is_dir()


def test_a_link_in_the_place_of_a_private_folder_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    paths = places(tmp_path / "home")
    paths.root.mkdir()
    paths.run.symlink_to(elsewhere)

    with pytest.raises(ForeignFolderError, match="not a folder of yours"):
        make_folders(paths)


def test_a_folder_that_is_not_there_is_nobody_s(tmp_path: Path) -> None:
    check_private(tmp_path / "missing")
