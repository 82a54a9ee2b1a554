"""The hub as a whole, with the real `huggingface_hub` against it."""

import hashlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile, RepoFolder
from huggingface_hub.utils import close_session, disable_progress_bars

from thorp.testing.hub import FakeHub, Fault, FaultKind, Host

BIG = bytes(range(256)) * 400
FILES = {"tiny-Q4_K_M.gguf": BIG, "README.md": b"# tiny", "sub/config.json": b"{}"}


@pytest.fixture(autouse=True)
def no_connection_outlives_its_test() -> Iterator[None]:
    disable_progress_bars()
    yield
    close_session()


@pytest.fixture(name="commit")
def one_repository(hub: FakeHub) -> str:
    return hub.add("org/tiny-GGUF", FILES, license="mit", downloads=123, likes=4, parameters=7_000_000_000)


@pytest.fixture(name="api")
def the_real_library(hub: FakeHub) -> HfApi:
    return HfApi(endpoint=hub.url, token=False)


def download(hub: FakeHub, cache: Path, path: str, **more: Any) -> bytes:
    more = {"repo_id": "org/tiny-GGUF", "token": False} | more
    return Path(hf_hub_download(filename=path, cache_dir=cache, endpoint=hub.url, **more)).read_bytes()


def test_the_library_reads_facts(api: HfApi, commit: str) -> None:
    info = api.model_info("org/tiny-GGUF", files_metadata=True)
    assert (info.sha, info.downloads, info.likes, info.gated, info.author) == (commit, 123, 4, False, "org")
    assert info.card_data
    assert info.card_data.license == "mit"
    assert info.gguf
    assert info.gguf["total"] == 7_000_000_000
    sizes = {one.rfilename: (one.size, one.lfs.sha256 if one.lfs else None) for one in info.siblings or ()}
    assert sizes["tiny-Q4_K_M.gguf"] == (len(BIG), hashlib.sha256(BIG).hexdigest())
    assert sizes["README.md"] == (6, None)
    assert api.model_info("org/tiny-GGUF", revision=commit, expand=["gguf", "sha"]).sha == commit


def test_the_library_searches_through_all_pages(hub: FakeHub, api: HfApi) -> None:
    for number in range(7):
        hub.add(f"org/model-{number}-GGUF", {"a.gguf": b"x"}, downloads=number)
    hub.page = 3
    found = list(api.list_models(search="model", filter="gguf", sort="downloads", expand=["downloads", "gated"]))
    assert [one.downloads for one in found] == [6, 5, 4, 3, 2, 1, 0]
    assert len(hub.log) == 3
    assert [one.id for one in api.list_models(sort="downloads", limit=2)] == ["org/model-6-GGUF", "org/model-5-GGUF"]


def test_the_library_lists_a_tree(hub: FakeHub, api: HfApi, commit: str) -> None:
    hub.page = 2
    found = list(api.list_repo_tree("org/tiny-GGUF", recursive=True, expand=True))
    assert [one.path for one in found] == ["README.md", "sub", "sub/config.json", "tiny-Q4_K_M.gguf"]
    assert [type(one) for one in found] == [RepoFile, RepoFolder, RepoFile, RepoFile]
    assert isinstance(found[3], RepoFile)
    assert found[3].lfs
    assert found[3].lfs.sha256 == hashlib.sha256(BIG).hexdigest()
    assert found[0].last_commit
    assert found[0].last_commit.oid == commit
    assert [one.path for one in api.list_repo_tree("org/tiny-GGUF", "sub", revision=commit)] == ["sub/config.json"]
    assert [one.path for one in api.get_paths_info("org/tiny-GGUF", ["sub", "none"])] == ["sub"]
    assert api.list_repo_refs("org/tiny-GGUF").branches[0].target_commit == commit


def test_the_library_downloads(hub: FakeHub, commit: str, tmp_path: Path) -> None:
    assert {path: download(hub, tmp_path, path) for path in FILES} == FILES
    assert hub.fetched("tiny-Q4_K_M.gguf") == [(0, len(BIG))]
    assert (tmp_path / f"models--org--tiny-GGUF/blobs/{hashlib.sha256(BIG).hexdigest()}").is_file()
    assert (tmp_path / "models--org--tiny-GGUF/refs/main").read_text() == commit


def test_the_library_takes_a_snapshot(hub: FakeHub, commit: str, tmp_path: Path) -> None:
    folder = Path(snapshot_download("org/tiny-GGUF", cache_dir=tmp_path, endpoint=hub.url, token=False))
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert folder.name == commit


def test_the_library_goes_on_after_a_cut(hub: FakeHub, tmp_path: Path) -> None:
    kept = constants.DOWNLOAD_CHUNK_SIZE  # it keeps whole chunks of this size
    data, cut = BIG * (kept // len(BIG) + 20), kept + 1000
    hub.add("org/large", {"large.gguf": data})
    hub.faults.add(Fault(FaultKind.CUT, path="*.gguf", after=cut))
    assert download(hub, tmp_path, "large.gguf", repo_id="org/large") == data
    assert hub.fetched("large.gguf") == [(0, cut), (kept, len(data))]


def test_the_library_follows_a_new_name(hub: FakeHub, commit: str, tmp_path: Path) -> None:
    hub.rename("org/tiny-GGUF", "org/small-GGUF")
    assert download(hub, tmp_path, "tiny-Q4_K_M.gguf", revision=commit) == BIG


def test_B25_the_library_gets_a_gated_file_and_leaks_no_token(hub: FakeHub, tmp_path: Path) -> None:
    hub.add("org/gated", {"big.gguf": BIG}, gated=True)
    hub.tokens |= {"hf_insider": {"org/gated"}, "hf_stranger": set()}
    for token in (False, "hf_stranger"):
        with pytest.raises(GatedRepoError):
            download(hub, tmp_path, "big.gguf", repo_id="org/gated", token=token)
    assert download(hub, tmp_path, "big.gguf", repo_id="org/gated", token="hf_insider") == BIG
    assert hub.leaks == 0
    assert any(one.authorization for one in hub.log if one.host is Host.HUB)


def test_the_library_names_what_is_missing(hub: FakeHub, api: HfApi, commit: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("org/none")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("org/tiny-GGUF", revision="dev")
    with pytest.raises(RemoteEntryNotFoundError):
        download(hub, tmp_path, "none.gguf")


def test_the_library_asks_who_it_is(hub: FakeHub, api: HfApi) -> None:
    hub.tokens["hf_known"] = set()
    assert api.whoami("hf_known")["name"] == "tester"
    with pytest.raises(HfHubHTTPError):
        api.whoami("hf_made_up")


def test_an_offline_hub_comes_back_at_its_address(hub: FakeHub, ask: Callable[..., Any], commit: str) -> None:
    url = hub.url
    hub.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(f"{url}/api/models")
    hub.start()
    assert (hub.url, ask(f"{url}/api/models/org/tiny-GGUF").status) == (url, 200)


def test_a_hub_that_cannot_start_leaves_nothing_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        hub = FakeHub(cdn_port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            hub.start()


def test_the_log_tells_who_asked_for_what(hub: FakeHub, ask: Callable[..., Any], commit: str) -> None:
    ask(f"{hub.url}/org/tiny-GGUF/resolve/main/README.md?x=1", Range="bytes=2-", Authorization="Basic x")
    (asked,) = hub.log
    assert (asked.host, asked.method, asked.path) == (Host.HUB, "GET", "/org/tiny-GGUF/resolve/main/README.md")
    assert (asked.query, asked.range, asked.status, asked.sent, asked.span) == ("x=1", (2, None), 206, 4, (2, 6))
    assert (asked.authorization, asked.repo, asked.file) == (True, "org/tiny-GGUF", "README.md")
    assert hub.asked("org/tiny-GGUF/README.md") == (asked,)
    assert hub.bytes_sent() == 4
    hub.forget()
    assert hub.log == ()


def test_faults_of_a_repository_strike_its_api_too(hub: FakeHub, ask: Callable[..., Any], commit: str) -> None:
    hub.faults.add(Fault(FaultKind.SERVER_ERROR, repo="org/tiny-GGUF"))
    assert ask(f"{hub.url}/api/models").status == 200
    assert ask(f"{hub.url}/api/models/org/tiny-GGUF").status == 503


def test_what_is_no_request_is_refused(hub: FakeHub, ask: Callable[..., Any]) -> None:
    assert ask(f"{hub.url}/api/models", "DELETE").status == 405
    with socket.create_connection(("127.0.0.1", hub.port), timeout=60) as client:
        client.sendall(b"what\r\n\r\n")
        assert client.recv(65_536).startswith(b"HTTP/1.1 400 ")


def test_hub_and_cdn_stand_where_they_are_told_to(ask: Callable[..., Any]) -> None:
    with FakeHub(host="127.0.0.2", cdn_host="127.0.0.3") as hub:
        hub.add("org/tiny", {"a.bin": b"x" * 20_000_000})
        found = ask(f"http://127.0.0.2:{hub.port}/org/tiny/resolve/main/a.bin")
        assert found["Location"].startswith(f"http://127.0.0.3:{hub.cdn_port}/")
        assert len(ask(found["Location"]).body) == 20_000_000
