"""Where files are, and who gets them. Asked by a bare client."""

import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from thorp.testing.hub import FakeHub
from thorp.testing.hub.content import git_blob

Ask = Callable[..., Any]
BIG = bytes(range(256)) * 100
SMALL = b'{"small": true}'


@pytest.fixture(autouse=True)
def commit(hub: FakeHub) -> str:
    hub.add("org/gated", {"big.gguf": BIG, "small.json": SMALL}, gated=True)
    hub.tokens["insider"] = {"org/gated"}
    hub.tokens["stranger"] = set()
    return hub.add("org/tiny", {"big.gguf": BIG, "sub/small.json": SMALL, "empty": b""})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_large_file_lies_on_another_host(hub: FakeHub, ask: Ask, commit: str, method: str) -> None:
    got = ask(f"{hub.url}/org/tiny/resolve/main/big.gguf", method)
    digest = hashlib.sha256(BIG).hexdigest()
    assert (got.status, got["X-Repo-Commit"], got["Accept-Ranges"]) == (302, commit, "bytes")
    assert (got["X-Linked-Etag"], got["X-Linked-Size"]) == (f'"{digest}"', str(len(BIG)))
    assert got["Location"].startswith(f"{hub.cdn_url}/")
    assert urlsplit(got["Location"]).hostname != urlsplit(hub.url).hostname
    there = ask(got["Location"], method)
    assert (there.status, there["Content-Length"]) == (200, str(len(BIG)))
    assert there.body == (BIG if method == "GET" else b"")
    assert digest not in there["ETag"]


def test_a_small_file_is_answered_at_once(hub: FakeHub, ask: Ask, commit: str) -> None:
    got = ask(f"{hub.url}/org/tiny/resolve/{commit}/sub/small.json")
    assert (got.status, got.body, got["ETag"]) == (200, SMALL, f'"{git_blob(SMALL)}"')
    assert (got["X-Repo-Commit"], got["X-Linked-Etag"]) == (commit, None)
    head = ask(f"{hub.url}/org/tiny/resolve/main/sub/small.json", "HEAD")
    assert (head.status, head.body, head["Content-Length"]) == (200, b"", str(len(SMALL)))
    assert ask(f"{hub.url}/org/tiny/resolve/main/empty").body == b""


@pytest.mark.parametrize("path", ["big.gguf", "sub/small.json"])
@pytest.mark.parametrize(
    ("asked", "first", "end"), [("0-4", 0, 5), ("3-", 3, None), ("-6", -6, None), ("4-99999", 4, None)]
)
def test_ranges(fetch: Ask, path: str, asked: str, first: int, end: int | None) -> None:
    data = BIG if path == "big.gguf" else SMALL
    got = fetch(path, Range=f"bytes={asked}")
    start = first % len(data)
    assert (got.status, got.body) == (206, data[first:end])
    assert got["Content-Range"] == f"bytes {start}-{start + len(got.body) - 1}/{len(data)}"


def test_a_range_beyond_the_end(fetch: Ask) -> None:
    got = fetch("big.gguf", Range="bytes=25600-")
    assert (got.status, got["Content-Range"]) == (416, "bytes */25600")


def test_a_range_counts_only_while_the_file_is_the_same(fetch: Ask) -> None:
    etag = fetch("big.gguf")["ETag"]
    assert fetch("big.gguf", Range="bytes=5-", If_Range=etag).status == 206
    assert fetch("big.gguf", Range="bytes=5-", If_Range='"other"').status == 200


def test_every_link_is_new_and_none_can_be_made_up(hub: FakeHub, ask: Ask) -> None:
    url = f"{hub.url}/org/tiny/resolve/main/big.gguf"
    one, other = ask(url)["Location"], ask(url)["Location"]
    assert one != other
    for wrong in (one.partition("?")[0], one.replace("Signature=", "Signature=0"), one.replace("Policy=", "Policy=x")):
        assert ask(wrong).status == 403
    hub.expire_links()
    assert ask(other).status == 403
    assert ask(ask(url)["Location"]).body == BIG


def test_B25_a_token_at_the_cdn_is_refused_and_counted(hub: FakeHub, ask: Ask) -> None:
    link = ask(f"{hub.url}/org/gated/resolve/main/big.gguf", Authorization="Bearer insider")["Location"]
    assert hub.leaks == 0
    assert ask(link, Authorization="Bearer insider").status == 400
    assert hub.leaks == 1
    assert ask(link).body == BIG


@pytest.mark.parametrize("path", ["big.gguf", "small.json"])
@pytest.mark.parametrize(
    ("token", "status", "code"), [("", 401, "GatedRepo"), ("stranger", 403, "GatedRepo"), ("made-up", 401, None)]
)
def test_a_gated_file_is_for_some(
    hub: FakeHub, ask: Ask, *, path: str, token: str, status: int, code: str | None
) -> None:
    url = f"{hub.url}/org/gated/resolve/main/{path}"
    got = ask(url, **({"Authorization": f"Bearer {token}"} if token else {}))
    assert (got.status, got["X-Error-Code"]) == (status, code)
    assert ask(url, Authorization="Bearer insider").status in (200, 302)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("org/none/resolve/main/a", 401, "RepoNotFound"),
        ("org/tiny/resolve/dev/big.gguf", 404, "RevisionNotFound"),
        ("org/tiny/resolve/main/none", 404, "EntryNotFound"),
        ("org/tiny/resolve/ev%0d%0ail/big.gguf", 404, "RevisionNotFound"),
    ],
)
def test_what_is_not_there(hub: FakeHub, ask: Ask, path: str, status: int, code: str) -> None:
    got = ask(f"{hub.url}/{path}")
    assert (got.status, got["X-Error-Code"]) == (status, code)


def test_B31_a_changed_file_leaves_the_old_commit_as_it_was(hub: FakeHub, fetch: Ask, commit: str) -> None:
    new = hub.add("org/tiny", {"big.gguf": BIG[::-1]})
    assert fetch("big.gguf").body == BIG[::-1]
    assert fetch("big.gguf", revision=new).body == BIG[::-1]
    assert fetch("big.gguf", revision=commit).body == BIG


def test_names_of_all_kinds(hub: FakeHub, ask: Ask) -> None:
    hub.add("org/odd", {"a b/ü #?.gguf": BIG})
    got = ask(f"{hub.url}/org/odd/resolve/main/a%20b/%C3%BC%20%23%3F.gguf")
    assert ask(got["Location"]).body == BIG
    assert hub.fetched("a b/ü #?.gguf") == [(0, len(BIG))]


def test_an_old_name_leads_to_the_new_one(hub: FakeHub, ask: Ask) -> None:
    hub.rename("org/tiny", "org/small")
    got = ask(f"{hub.url}/org/tiny/resolve/main/big.gguf")
    assert (got.status, got["Location"]) == (307, "/org/small/resolve/main/big.gguf")
