"""The dashboard's files: what was there at the start, and nothing else."""

import asyncio
from pathlib import Path

import pytest

from thorp.testing.asgi import Heard
from thorp.testing.web import WebWorld
from thorp.web.assets import ASK_AGAIN, FOR_EVER, load_assets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    built = tmp_path / "static"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<p>hello</p>")
    (built / "assets" / "a-1.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    (built / "assets" / "link.js").symlink_to(tmp_path / "secret")
    return built


def test_everything_built_is_there_and_links_are_not_followed(folder: Path) -> None:
    assert set(load_assets(folder)) == {"index.html", "assets/a-1.js"}


def test_only_files_with_a_hash_in_their_name_are_kept_for_ever(folder: Path) -> None:
    found = load_assets(folder)
    assert found["index.html"].caching == ASK_AGAIN
    assert found["assets/a-1.js"].caching == FOR_EVER
    assert found["assets/a-1.js"].media_type.startswith("text/javascript")


def test_nothing_built_is_nothing(tmp_path: Path) -> None:
    assert load_assets(tmp_path / "nowhere") == {}


def asked(folder: Path, target: str, **headers: str) -> Heard:
    world = WebWorld()
    world.assets.update(load_assets(folder))
    return asyncio.run(world.client(**headers).ask("GET", target))


def test_the_dashboard_is_served_and_asked_for_once(folder: Path) -> None:
    first = asked(folder, "/")
    assert (first.status, first.body) == (200, b"<p>hello</p>")
    again = asked(folder, "/", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "target",
    ["/assets/link.js", "/assets/../secret", "/assets/%2e%2e/secret", "/assets/..%2fsecret", "/assets/nothing.js"],
)
def test_no_other_file_can_be_asked_for(folder: Path, target: str) -> None:
    heard = asked(folder, target)
    assert heard.status == 404
    assert b"secret" not in heard.body.replace(b"/secret", b"")


def test_without_a_build_the_page_says_so_and_what_works() -> None:
    heard = asyncio.run(WebWorld().ask("GET", "/"))
    assert heard.status == 200
    assert b"/plain/claim" in heard.body
