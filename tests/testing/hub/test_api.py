"""The JSON interface, asked by a bare client. The library itself asks in `test_fake.py`."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from thorp.testing.hub import FakeHub

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def repositories(hub: FakeHub) -> None:
    hub.add("org/tiny-GGUF", {"a.gguf": b"x" * 20_000, "sub/b.txt": b"b"}, downloads=5, likes=9, license="mit")
    hub.add("org/big-GGUF", {"b.gguf": b"y"}, downloads=50, gated="auto")
    hub.add("else/tiny", {"c.safetensors": b"z"}, downloads=500)
    hub.add("org/secret", {"d.gguf": b"s"}, private=True)
    hub.tokens["insider"] = {"org/secret"}
    hub.tokens["stranger"] = set()


def names(got: Any) -> list[str]:
    return [one["id"] for one in json.loads(got.body)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sort=downloads", ["else/tiny", "org/big-GGUF", "org/tiny-GGUF"]),
        ("search=TINY&sort=downloads", ["else/tiny", "org/tiny-GGUF"]),
        ("search=tiny+gguf", ["org/tiny-GGUF"]),
        ("filter=gguf&sort=likes", ["org/tiny-GGUF", "org/big-GGUF"]),
        ("filter=gguf&filter=license:mit", ["org/tiny-GGUF"]),
        ("filter=gguf,license:mit", ["org/tiny-GGUF"]),
        ("author=else", ["else/tiny"]),
        ("gated=true", ["org/big-GGUF"]),
        ("search=nothing", []),
    ],
)
def test_a_search(hub: FakeHub, ask: Ask, query: str, found: list[str]) -> None:
    assert names(ask(f"{hub.url}/api/models?{query}")) == found


def test_what_is_private_is_seen_by_whoever_may(hub: FakeHub, ask: Ask) -> None:
    url = f"{hub.url}/api/models?search=secret"
    assert names(ask(url)) == []
    assert names(ask(url, Authorization="Bearer insider")) == ["org/secret"]
    assert ask(f"{hub.url}/api/models/org/secret")["X-Error-Code"] == "RepoNotFound"
    assert ask(f"{hub.url}/api/models/org/secret", Authorization="Bearer insider").status == 200


def test_a_search_goes_on_behind_a_link(hub: FakeHub, ask: Ask) -> None:
    first = ask(f"{hub.url}/api/models?sort=downloads&limit=2&filter=gguf&expand=downloads")
    assert first["Link"] is None
    first = ask(f"{hub.url}/api/models?sort=downloads&limit=2")
    url = first["Link"].partition(">")[0].removeprefix("<")
    assert names(first) + names(ask(url)) == ["else/tiny", "org/big-GGUF", "org/tiny-GGUF"]
    assert ask(url)["Link"] is None


def test_a_list_says_what_is_asked_for(hub: FakeHub, ask: Ask) -> None:
    def keys(query: str) -> set[str]:
        return set(json.loads(ask(f"{hub.url}/api/models?search=big&{query}").body)[0])

    assert "sha" not in keys("")
    assert {"sha", "siblings", "gated"} <= keys("full=true")
    assert "cardData" in keys("cardData=true")
    assert keys("expand[]=downloads&expand[]=gated") == {"_id", "id", "modelId", "downloads", "gated"}


def test_facts_about_one(hub: FakeHub, ask: Ask) -> None:
    said = json.loads(ask(f"{hub.url}/api/models/org/tiny-GGUF?blobs=true").body)
    assert said["siblings"][0]["lfs"]["size"] == 20_000
    assert said["cardData"] == {"license": "mit"}
    expanded = json.loads(ask(f"{hub.url}/api/models/org/tiny-GGUF/revision/{said['sha']}?expand=sha").body)
    assert (expanded.keys(), expanded["sha"]) == ({"_id", "id", "sha"}, said["sha"])
    assert ask(f"{hub.url}/api/models/org/tiny-GGUF?expand=nonsense").status == 400


def test_an_old_revision_keeps_its_files(hub: FakeHub, ask: Ask) -> None:
    old = hub.shelf.repos["org/tiny-GGUF"].head.id
    hub.add("org/tiny-GGUF", {"new.gguf": b"1"})
    url = f"{hub.url}/api/models/org/tiny-GGUF"
    assert len(json.loads(ask(f"{url}/revision/{old}").body)["siblings"]) == 2
    assert len(json.loads(ask(url).body)["siblings"]) == 3


def test_a_tree_comes_in_pages(ask: Ask) -> None:
    with FakeHub(page=2) as hub:
        hub.add("org/many", {f"{number}.txt": b"1" for number in range(5)})
        paths: list[str] = []
        url = f"{hub.url}/api/models/org/many/tree/main?recursive=true"
        while url:
            got = ask(url)
            paths += [one["path"] for one in json.loads(got.body)]
            url = (got["Link"] or "").partition(">")[0].removeprefix("<")
        assert (paths, len(hub.log)) == ([f"{number}.txt" for number in range(5)], 3)


def test_a_tree_of_a_folder(hub: FakeHub, ask: Ask) -> None:
    url = f"{hub.url}/api/models/org/tiny-GGUF/tree/main"
    assert [one["path"] for one in json.loads(ask(f"{url}/sub").body)] == ["sub/b.txt"]
    assert ask(f"{url}/nowhere")["X-Error-Code"] == "EntryNotFound"


def test_paths_and_refs(hub: FakeHub, ask: Ask) -> None:
    url = f"{hub.url}/api/models/org/tiny-GGUF"
    found = json.loads(ask(f"{url}/paths-info/main", "POST", b"paths=sub&paths=a.gguf&paths=none").body)
    assert [one["type"] for one in found] == ["directory", "file"]
    refs = json.loads(ask(f"{url}/refs").body)
    assert refs["branches"][0]["targetCommit"] == hub.shelf.repos["org/tiny-GGUF"].head.id


@pytest.mark.parametrize(
    ("path", "token", "status", "code"),
    [
        ("org/none", "", 401, "RepoNotFound"),
        ("org/none", "stranger", 404, "RepoNotFound"),
        ("org/tiny-GGUF", "made-up", 401, None),
        ("org/tiny-GGUF/revision/dev", "", 404, "RevisionNotFound"),
        ("org/tiny-GGUF/tree/dev", "", 404, "RevisionNotFound"),
        ("org/tiny-GGUF/weather", "", 404, None),
        ("org", "", 404, None),
    ],
)
def test_what_is_not_there_is_denied_as_the_hub_does(
    hub: FakeHub, ask: Ask, *, path: str, token: str, status: int, code: str | None
) -> None:
    got = ask(f"{hub.url}/api/models/{path}", **({"Authorization": f"Bearer {token}"} if token else {}))
    assert (got.status, got["X-Error-Code"]) == (status, code)
    assert json.loads(got.body)["error"] == got["X-Error-Message"]


def test_who_is_asking(hub: FakeHub, ask: Ask) -> None:
    url = f"{hub.url}/api/whoami-v2"
    assert ask(url).status == 401
    assert json.loads(ask(url, Authorization="Bearer stranger").body)["name"] == "tester"


def test_an_old_name_leads_to_the_new_one(hub: FakeHub, ask: Ask) -> None:
    hub.rename("else/tiny", "else/small")
    got = ask(f"{hub.url}/api/models/else/tiny/revision/main?blobs=true")
    assert (got.status, got["Location"]) == (307, "/api/models/else/small/revision/main?blobs=true")
    assert ask(f"{hub.url}{got['Location']}").status == 200
