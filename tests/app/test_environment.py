from pathlib import Path

import pytest

from thorp.app.environment import Environment, variable_of


def test_what_is_ours_is_sorted_from_what_is_not() -> None:
    found = Environment.of(
        {
            "THORP_HOME": "/srv/thorp",
            "THORP_URL": "https://node.local:8738",
            "THORP_KEY": "thorp_k7h3mqx2p_secret",
            "THORP_LOCAL_PORT": "9000",
            "THORP_LOCAL_PROT": "9001",
            "XDG_RUNTIME_DIR": "/run/user/1000",
            "EDITOR": "ed",
            "PATH": "/bin",
        }
    )

    assert found.home == Path("/srv/thorp")
    assert found.url == "https://node.local:8738"
    assert found.key == "thorp_k7h3mqx2p_secret"
    assert dict(found.overrides) == {"THORP_LOCAL_PORT": "9000", "THORP_LOCAL_PROT": "9001"}
    assert found.runtime_dir == Path("/run/user/1000")
    assert found.editor == "ed"


def test_nothing_set_is_the_default() -> None:
    assert Environment.of({}) == Environment()
    assert Environment.of({"THORP_HOME": "", "NO_COLOR": "", "FORCE_COLOR": ""}) == Environment()


def test_the_key_is_not_shown_when_the_environment_is() -> None:
    assert "secret" not in repr(Environment.of({"THORP_KEY": "thorp_k7h3mqx2p_secret"}))


def test_a_home_is_absolute_and_may_start_with_the_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert Environment.of({"THORP_HOME": "here"}).home == tmp_path / "here"
    assert Environment.of({"THORP_HOME": "~/there"}).home == Path("~/there").expanduser()


def test_visual_wins_over_editor() -> None:
    assert Environment.of({"VISUAL": "code -w", "EDITOR": "ed"}).editor == "code -w"


@pytest.mark.parametrize(
    ("variables", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_follow_the_common_variables(variables: dict[str, str], terminal: bool, coloured: bool) -> None:
    assert Environment.of(variables).wants_colour(terminal=terminal) is coloured


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"])
def test_a_browser_can_be_opened_where_there_is_a_display(name: str) -> None:
    assert Environment.of({name: "x"}).display


def test_what_the_hubs_own_tools_read_means_the_same_here(tmp_path: Path) -> None:
    found = Environment.of(
        {
            "HF_ENDPOINT": "https://hub.lan",
            "HF_TOKEN": " hf_secret\n",
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": "1",
        }
    ).hub

    assert (found.endpoint, found.token, found.offline) == ("https://hub.lan", "hf_secret", True)
    assert (found.home, found.cache) == (tmp_path / "home", tmp_path / "cache")
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "offline"), [("1", True), ("true", True), ("YES", True), ("on", True), ("0", False), ("", False)]
)
def test_offline_is_said_as_the_hubs_own_tools_take_it(text: str, offline: bool) -> None:
    assert Environment.of({"HF_HUB_OFFLINE": text}).hub.offline is offline


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THORP_LOGS_LEVEL", "debug")

    assert Environment.read().overrides["THORP_LOGS_LEVEL"] == "debug"


def test_a_setting_has_one_variable() -> None:
    assert variable_of("local.open_inference") == "THORP_LOCAL_OPEN_INFERENCE"
