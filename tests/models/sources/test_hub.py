"""The hub driver against a hub that does whatever a test wants."""

import itertools
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from tests.net.remote import ok, remote
from thorp.base.errors import NetworkError, ThorpError
from thorp.models.sources.hub import HubSource
from thorp.models.sources.hub_errors import (
    BadHubAnswerError,
    ChangedUpstreamError,
    GatedError,
    HubFailingError,
    HubOfflineError,
    HubRateLimitedError,
    HubUnreachableError,
    NoAccessError,
    NoRangesError,
    NoSuchFileError,
    NoSuchRepoError,
    NoSuchRevisionError,
)
from thorp.models.types import RemoteFile, SourceKind, Wanted
from thorp.net.egress import Guard
from thorp.net.outward import Outward
from thorp.net.outward_errors import EgressRefusedError, OutwardStoppedError
from thorp.testing.hub import FakeHub, Fault, FaultKind, On

REPO = "org/model-GGUF"
BIG = bytes(range(256)) * 200  # on the CDN
SMALL = b'{"a": 1}'
SECRET = "hf_averysecrettoken"


@pytest.fixture
def hub():
    with FakeHub() as one:
        one.add(REPO, {"model-Q4_K_M.gguf": BIG, "config.json": SMALL}, license="mit", downloads=5, parameters=7_000)
        yield one


@contextmanager
def driver(url, **options):
    outward = Outward(Guard(lambda: (url,)), idle_timeout=options.pop("idle_timeout", 5))
    try:
        yield HubSource(url, options.pop("token", lambda: None), outward, **options)
    finally:
        outward.close()


@pytest.fixture
def source(hub):
    with driver(hub.url) as one:
        yield one


def fetched(source, file, first=0, end=None, *, repo=REPO, revision=None):
    end = file.size if end is None else end
    got, buffer = bytearray(), memoryview(bytearray(1000))
    wanted = Wanted(repo, revision or source.repo(repo, None).revision, file)
    with source.read(wanted, first, end) as incoming:
        while count := incoming.readinto(buffer):
            got += buffer[:count]
    return bytes(got)


def named(listed, path):
    return next(one for one in listed.files if one.path == path)


def test_a_search_finds_what_has_gguf_most_downloaded_first(hub, source):
    hub.add("other/model-GGUF", {"x.gguf": BIG}, downloads=9, likes=2, gated=True)
    hub.add("other/model", {"x.safetensors": BIG}, downloads=99)
    first, second = source.search("model", 10)
    assert (first.repo, first.downloads, first.likes, first.gated) == ("other/model-GGUF", 9, 2, True)
    assert (second.repo, second.license, second.parameters, second.gated) == (REPO, "mit", 7_000, False)
    assert second.updated == "2025-01-01T00:00:00.000Z"
    assert "gguf" in second.tags
    assert len(source.search("model", 1)) == 1
    assert source.search("nothing like this", 5) == ()


def test_a_repository_is_listed_with_sizes_and_hashes(hub, source):
    listed = source.repo(REPO, None)
    big, small = named(listed, "model-Q4_K_M.gguf"), named(listed, "config.json")
    assert (big.size, big.blob) == (len(BIG), big.sha256)
    assert (small.size, small.sha256, len(small.blob)) == (len(SMALL), None, 40)
    assert (listed.repo, listed.license, listed.parameters, listed.downloads) == (REPO, "mit", 7_000, 5)
    assert source.repo(REPO, listed.revision) == listed
    assert (source.kind, source.where, source.detail) == (SourceKind.HUB, f"127.0.0.1:{hub.port}", source.where)


def test_a_renamed_repository_is_found_under_its_new_name(hub, source):
    hub.rename(REPO, "org/newer-GGUF")
    listed = source.repo(REPO, None)
    assert listed.repo == "org/newer-GGUF"
    file = named(listed, "config.json")
    assert fetched(source, file, repo=REPO, revision=listed.revision) == SMALL


def test_ranges_of_large_and_small_files_come_exactly(hub, source):
    listed = source.repo(REPO, None)
    big, small = named(listed, "model-Q4_K_M.gguf"), named(listed, "config.json")
    assert fetched(source, big) == BIG
    assert fetched(source, big, 100, 20_000) == BIG[100:20_000]
    assert fetched(source, small) == SMALL
    assert fetched(source, small, 2, 3) == SMALL[2:3]
    asked = len(hub.log)
    assert fetched(source, big, 7, 7, revision=listed.revision) == b""
    assert len(hub.log) == asked


def test_B25_the_token_goes_to_the_hub_alone_and_opens_a_gated_repository(hub):
    hub.add("org/gated", {"x.gguf": BIG}, gated=True)
    hub.tokens[SECRET] = {"org/gated"}
    with driver(hub.url, token=lambda: f"{SECRET}\n") as source:
        listed = source.repo("org/gated", None)
        assert listed.gated
        assert fetched(source, listed.files[0], repo="org/gated") == BIG
        assert SECRET not in repr(source)
    assert hub.leaks == 0
    assert all(one.authorization for one in hub.log if one.host == "hub")


@pytest.mark.parametrize("tokens", [{}, {SECRET: set()}])
def test_a_gated_repository_names_the_page_and_the_login(hub, tokens):
    hub.add("org/gated", {"x.gguf": BIG}, gated=True)
    hub.tokens |= tokens
    with driver(hub.url, token=lambda: next(iter(tokens), None)) as source:
        listed = source.repo("org/gated", None)
        with pytest.raises(GatedError) as caught:
            fetched(source, listed.files[0], repo="org/gated")
    assert f"{hub.url}/org/gated" in caught.value.message
    assert ("thorp login hub" in caught.value.message) is not bool(tokens)
    assert SECRET not in caught.value.message


def test_a_token_the_hub_does_not_know_is_said_without_showing_it(hub):
    with driver(hub.url, token=lambda: SECRET) as source, pytest.raises(NoAccessError) as caught:
        source.repo(REPO, None)
    assert SECRET not in str(caught.value)


def test_what_is_not_there_is_told_apart(hub, source):
    listed = source.repo(REPO, None)
    with pytest.raises(NoSuchRepoError):
        source.repo("org/nothing", None)
    with pytest.raises(NoSuchRepoError):
        source.repo("../evil", None)
    with pytest.raises(NoSuchRevisionError):
        source.repo(REPO, "f" * 40)
    ghost = RemoteFile("ghost.gguf", 10, "a" * 40)
    with pytest.raises(NoSuchFileError):
        fetched(source, ghost, revision=listed.revision)
    with pytest.raises(NoSuchFileError):
        fetched(source, RemoteFile("../../x", 10, "a" * 40), revision=listed.revision)


BYTES = [
    (Fault(FaultKind.WRONG_RANGE), BadHubAnswerError),
    (Fault(FaultKind.WRONG_RANGE, value="bytes 10-19/1"), ChangedUpstreamError),
    (Fault(FaultKind.WRONG_RANGE, value="bytes 10-19/*"), BadHubAnswerError),
    (Fault(FaultKind.WRONG_RANGE, value="nonsense"), BadHubAnswerError),
    (Fault(FaultKind.IGNORE_RANGE), NoRangesError),
    (Fault(FaultKind.WRONG_LENGTH, length=5), BadHubAnswerError),
    (Fault(FaultKind.WRONG_LENGTH, length=-5), BadHubAnswerError),
    (Fault(FaultKind.MORE_BYTES, length=5), BadHubAnswerError),
    (Fault(FaultKind.CHANGED_ETAG, on=On.RESOLVE), ChangedUpstreamError),
    (Fault(FaultKind.WRONG_LENGTH, on=On.RESOLVE), ChangedUpstreamError),
    (Fault(FaultKind.CUT, after=3), NetworkError),
    (Fault(FaultKind.DROP, on=On.BYTES, times=None), HubUnreachableError),
    (Fault(FaultKind.GZIP), BadHubAnswerError),
    (Fault(FaultKind.LOGIN_PAGE, on=On.BYTES), BadHubAnswerError),
    (Fault(FaultKind.LOGIN_PAGE, on=On.RESOLVE), BadHubAnswerError),
    (Fault(FaultKind.RATE_LIMITED, on=On.BYTES, value="7"), HubRateLimitedError),
    (Fault(FaultKind.SERVER_ERROR, on=On.BYTES, status=502), HubFailingError),
    (Fault(FaultKind.SERVER_ERROR, on=On.RESOLVE), HubFailingError),
    (Fault(FaultKind.REDIRECT, on=On.RESOLVE), BadHubAnswerError),
    (Fault(FaultKind.REDIRECT, on=On.RESOLVE, value="http://169.254.169.254/latest"), EgressRefusedError),
    (Fault(FaultKind.REDIRECT, on=On.RESOLVE, value="http://10.0.0.1/"), EgressRefusedError),
]


@pytest.mark.parametrize(("fault", "expected"), BYTES, ids=[f"{one.kind}-{one.on}-{one.value}" for one, _ in BYTES])
def test_B22_B26_B27_B29_B30_a_wrong_answer_is_refused_and_the_next_one_taken(hub, source, fault, expected):
    listed = source.repo(REPO, None)
    file = named(listed, "model-Q4_K_M.gguf")
    hub.faults.add(fault)
    with pytest.raises(expected):
        fetched(source, file, 10, 20, revision=listed.revision)
    hub.faults.clear()
    assert fetched(source, file, 10, 20, revision=listed.revision) == BIG[10:20]


def test_B26_a_file_without_a_length_comes_whole_or_not_at_all(hub, source):
    listed = source.repo(REPO, None)
    file = named(listed, "model-Q4_K_M.gguf")
    hub.faults.add(Fault(FaultKind.NO_LENGTH), Fault(FaultKind.NO_LENGTH, value="close"))
    assert fetched(source, file, revision=listed.revision) == BIG
    assert fetched(source, file, 5, 50, revision=listed.revision) == BIG[5:50]


def test_B26_a_small_file_that_changed_is_noticed(hub, source):
    listed = source.repo(REPO, None)
    hub.faults.add(Fault(FaultKind.CHANGED_ETAG, path="config.json"))
    with pytest.raises(ChangedUpstreamError, match=r"config\.json"):
        fetched(source, named(listed, "config.json"), revision=listed.revision)


def test_B26_a_link_that_expired_is_a_reason_to_ask_again(hub, source):
    listed = source.repo(REPO, None)
    file = named(listed, "model-Q4_K_M.gguf")
    with remote(lambda asked: ok(b"", status="403 Forbidden"), address="127.0.0.2") as store:
        hub.faults.add(Fault(FaultKind.REDIRECT, on=On.RESOLVE, value=f"{store.origin}/x"))
        with pytest.raises(BadHubAnswerError, match="store"):
            fetched(source, file, revision=listed.revision)
    assert fetched(source, file, revision=listed.revision) == BIG


@pytest.mark.parametrize(
    ("fault", "expected", "wait"),
    [
        (Fault(FaultKind.RATE_LIMITED, value="7"), HubRateLimitedError, 7.0),
        (Fault(FaultKind.SERVER_ERROR, value="3"), HubFailingError, 3.0),
        (Fault(FaultKind.SERVER_ERROR), HubFailingError, None),
        (Fault(FaultKind.LOGIN_PAGE), BadHubAnswerError, None),
        (Fault(FaultKind.DROP, times=None), HubUnreachableError, None),
        (Fault(FaultKind.REDIRECT), BadHubAnswerError, None),
    ],
)
def test_B29_B30_metadata_fails_at_once_and_says_how_long_to_wait(hub, source, fault, expected, wait):
    hub.faults.add(fault)
    with pytest.raises(expected) as caught:
        source.repo(REPO, None)
    assert caught.value.retry_after == wait
    assert len(hub.log) == 1
    hub.faults.clear()
    assert source.repo(REPO, None).repo == REPO


@pytest.mark.parametrize("offline", [True, lambda: True])
def test_offline_nothing_is_asked(hub, offline):
    with driver(hub.url, offline=offline) as source:
        for ask in (
            lambda: source.search("x", 1),
            lambda: source.repo(REPO, None),
            lambda: fetched(source, RemoteFile("x", 1, "a" * 40), revision="a" * 40),
        ):
            with pytest.raises(HubOfflineError):
                ask()
    assert hub.log == ()


def test_a_hub_that_is_away_says_so(hub, source):
    hub.stop()
    with pytest.raises(HubUnreachableError, match="does not answer"):
        source.repo(REPO, None)


def test_a_stop_ends_a_transfer_that_waits(hub, source):
    listed = source.repo(REPO, None)
    hub.faults.add(Fault(FaultKind.STALL, after=3))
    stop = threading.Event()
    file = named(listed, "model-Q4_K_M.gguf")
    with source.read(Wanted(REPO, listed.revision, file), 0, file.size, stop) as incoming:
        buffer = memoryview(bytearray(file.size))
        assert incoming.readinto(buffer) == 3
        threading.Timer(0.05, stop.set).start()
        with pytest.raises(OutwardStoppedError):
            incoming.readinto(buffer)


INFO = {"id": "o/r", "sha": "c" * 40, "tags": [], "siblings": []}


def answering(body):
    def answer(asked):
        said = body(asked) if callable(body) else body
        if isinstance(said, bytes):
            return said
        return ok(json.dumps(said).encode(), "Content-Type: application/json")

    return remote(answer)


@pytest.mark.parametrize(
    "body",
    [
        ok(b"not json"),
        ok(b"[" * 200_000),
        ok(b"null"),
        [],
        {},
        {"id": 5, "sha": "c" * 40},
        INFO | {"sha": "main"},
        INFO | {"sha": None},
        INFO | {"id": "a/b/c"},
        INFO | {"siblings": [5]},
        INFO | {"siblings": [{"rfilename": "x", "size": -1, "blobId": "a" * 40}]},
        INFO | {"siblings": [{"rfilename": "x", "size": 1, "blobId": "zz"}]},
        INFO | {"siblings": [{"rfilename": "x\x1b[2J", "size": 1, "blobId": "a" * 40}]},
        INFO | {"siblings": [{"rfilename": "x", "size": 1, "blobId": "a" * 40}] * 2},
        INFO | {"siblings": [{"rfilename": str(one), "size": 1, "blobId": "a" * 40} for one in range(20_001)]},
        INFO | {"lastModified": "yesterday"},
    ],
)
def test_B33_a_listing_that_makes_no_sense_is_refused(body):
    with answering(body) as there, driver(there.origin) as source, pytest.raises(BadHubAnswerError):
        source.repo("o/r", None)


def test_a_listing_without_sizes_is_read_from_the_tree():
    tree = [
        {"type": "directory", "path": "d", "oid": "b" * 40},
        {"type": "file", "path": "d/x", "size": 3, "oid": "a" * 40},
        {
            "type": "file",
            "path": "y.gguf",
            "size": 9,
            "oid": "a" * 40,
            "lfs": {"oid": "e" * 64, "size": 9, "pointerSize": 1},
        },
    ]
    body = INFO | {"siblings": [{"rfilename": "d/x"}]}
    with answering(lambda asked: tree if "/tree/" in asked.path else body) as there, driver(there.origin) as source:
        assert source.repo("o/r", None).files == (
            RemoteFile("d/x", 3, "a" * 40),
            RemoteFile("y.gguf", 9, "e" * 64, "e" * 64),
        )


def test_B33_a_listing_whose_pages_never_end_is_left():
    pages = itertools.count()

    def body(asked):
        if "/tree/" not in asked.path:
            return INFO | {"siblings": None}
        return ok(b"[]", "Content-Type: application/json", f'Link: <{there.origin}/tree/{next(pages)}>; rel="next"')

    with answering(body) as there, driver(there.origin) as source, pytest.raises(BadHubAnswerError, match="pages"):
        source.repo("o/r", None)
    assert len(there.asked) <= 101


def test_B22_a_next_page_elsewhere_is_checked_like_any_url():
    def body(asked):
        if "/tree/" not in asked.path:
            return INFO | {"siblings": None}
        return ok(b"[]", "Content-Type: application/json", 'Link: <http://10.0.0.1/tree/x>; rel="next"')

    asking = pytest.raises(EgressRefusedError)
    with answering(body) as there, driver(there.origin, token=lambda: SECRET) as source, asking:
        source.repo("o/r", None)


def test_an_endpoint_may_have_a_path():
    with answering(INFO | {"id": "o/r"}) as there, driver(f"{there.origin}/mirror/") as source:
        source.repo("o/r", None)
    assert there.paths == ["/mirror/api/models/o/r?blobs=true"]


@pytest.mark.parametrize("kind", FaultKind)
def test_B30_whatever_goes_wrong_with_a_search_is_an_error_of_ours_or_nothing(hub, kind):
    hub.faults.add(Fault(kind, on=On.API, length=3, rate=1_000_000))
    with driver(hub.url, idle_timeout=0.3) as source, suppress(ThorpError):
        assert source.search("model", 3)
    hub.faults.clear()
    with driver(hub.url) as source:
        assert source.search("model", 3)


def test_the_libraries_variables_decide_nothing(hub):
    program = (
        "import sys; from thorp.models.sources.hub import HubSource; from thorp.net.egress import Guard;"
        "from thorp.net.outward import Outward; assert 'huggingface_hub' not in sys.modules;"
        "assert 'httpx2' not in sys.modules; url = sys.argv[1]; outward = Outward(Guard(lambda: (url,)));"
        "print(HubSource(url, lambda: None, outward).search('model', 3)[0].repo); outward.close()"
    )
    wrong = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.9:9", "HF_TOKEN": SECRET}
    done = subprocess.run(
        [sys.executable, "-c", program, hub.url], env=os.environ | wrong, check=False, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (f"{REPO}\n", "")
    assert not any(one.authorization for one in hub.log)
