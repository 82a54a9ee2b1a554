"""Hubs that lie about files and files that lie about themselves, against `thorp pull` and the routes of a node."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.attack_front import HALF, SIZE, TOKEN, Front
from tests.e2e.library_house import Home, download, gguf, rested
from thorp.testing.gguf import tiny_gguf
from thorp.testing.hub import Content, Fault, FaultKind, On, content_of
from thorp.testing.process import until
from thorp.testing.safetensors import tiny_config, tiny_safetensors

FORMATS: Final = re.compile(r"formats\.\w+")


# B26, B27, B29: answers that lie about the bytes


LIES: dict[str, tuple[Fault, ...]] = {
    "too long a length": (Fault(FaultKind.WRONG_LENGTH, length=7),),
    "too short a length": (Fault(FaultKind.WRONG_LENGTH, length=-7),),
    "no length, in chunks": (Fault(FaultKind.NO_LENGTH),),
    "no length, until the end": (Fault(FaultKind.NO_LENGTH, value="close"),),
    "more bytes": (Fault(FaultKind.MORE_BYTES, length=1000),),
    "another range": (Fault(FaultKind.WRONG_RANGE),),
    "nonsense for a range": (Fault(FaultKind.WRONG_RANGE, value="bytes 0-99/*"),),
    "everything instead of a range": (Fault(FaultKind.IGNORE_RANGE),),
    "wrong bytes": (Fault(FaultKind.WRONG_BYTES, at=2_000_000, length=5),),
    "gzip": (Fault(FaultKind.GZIP),),
    "a login page": (Fault(FaultKind.LOGIN_PAGE, on=On.BYTES),),
    "a cut": (Fault(FaultKind.CUT, after=HALF, reset=True),),
    "no answer": (Fault(FaultKind.DROP, on=On.BYTES),),
    "too many requests": (Fault(FaultKind.RATE_LIMITED, on=On.BYTES, value="0"),),
    "trouble": (Fault(FaultKind.SERVER_ERROR, on=On.BYTES, status=502),),
}
AFTER_A_CUT = {
    "another range": Fault(FaultKind.WRONG_RANGE, skip=1),
    "everything": Fault(FaultKind.IGNORE_RANGE, skip=1),
    "the right range of another version": Fault(FaultKind.WRONG_BYTES, skip=1, at=2_000_000, length=500_000),
    "more bytes": Fault(FaultKind.MORE_BYTES, skip=1, length=4096),
    "fewer bytes": Fault(FaultKind.WRONG_LENGTH, skip=1, length=-4096),
    "gzip": Fault(FaultKind.GZIP, skip=1),
    "a login page": Fault(FaultKind.LOGIN_PAGE, on=On.BYTES, skip=1),
}


def test_B26_B27_B29_whatever_an_answer_says_the_bytes_are_right(front: Front) -> None:
    begun: dict[str, tuple[str, str, str]] = {}
    cases = LIES | {f"a cut, then {what}": (Fault(FaultKind.CUT, after=HALF), one) for what, one in AFTER_A_CUT.items()}
    for what, faults in cases.items():
        repo, name = front.offer()
        front.hub.faults.add(*(replace(one, repo=repo) for one in faults))
        begun[what] = (repo, name, download(front.node, repo).data["transfer_id"])
    for what, (repo, name, transfer) in begun.items():
        row = rested(front.node, transfer)
        assert row["state"] == "done", (what, row)
        front.check_right(repo, name)
    assert front.hub.faults.left == ()


@pytest.mark.parametrize("skip", [0, 1])
def test_B26_a_file_that_changes_meanwhile_is_never_mixed(front: Front, skip: int) -> None:
    """With `skip` after half of it came, when the link to the store is asked for anew."""
    repo, name = front.offer()
    if skip:
        front.hub.faults.add(Fault(FaultKind.CUT, repo=repo, after=HALF))
        front.hub.faults.add(Fault(FaultKind.SERVER_ERROR, repo=repo, on=On.BYTES, skip=1, status=403))
    front.hub.faults.add(Fault(FaultKind.CHANGED_ETAG, repo=repo, on=On.RESOLVE, skip=skip, times=None))
    row = front.pulled(repo)
    assert (row["state"], row["error"]["code"]) == ("failed", "models.changed_upstream")
    front.check_nothing(repo)
    front.hub.faults.clear()
    assert front.pulled(repo)["state"] == "done"
    front.check_right(repo, name)


def test_B27_a_compressed_answer_of_the_api_is_refused_or_read_right(front: Front) -> None:
    repo, name = front.offer()
    front.hub.faults.add(Fault(FaultKind.GZIP, on=On.API, repo=repo, times=1))
    row = front.pulled(repo)
    if row["state"] != "done":
        assert row["error"]["code"] == "models.bad_hub_answer"
        row = front.pulled(repo)
    assert row["state"] == "done"
    front.check_right(repo, name)


def test_B29_a_login_page_of_the_network_is_told_as_one(front: Front, tmp_path: Path) -> None:
    repo, _ = front.offer()
    front.hub.faults.add(Fault(FaultKind.LOGIN_PAGE, times=None))
    row = front.refuses(repo, "models.bad_hub_answer")
    assert row["status"] == 502
    done = Home(tmp_path / "n", front.hub).thorp("pull", repo)
    assert done.returncode == 5
    assert "web page" in done.stderr


@pytest.mark.parametrize("lie", ["hash", "longer", "shorter"])
def test_B32_a_listing_that_lies_about_a_file_installs_nothing(front: Front, lie: str) -> None:
    name = "fresh-7b-instruct.Q4_K_M.gguf"
    true = content_of(gguf(front.folder, f"true-{lie}.gguf", seed=1000, pad_to=SIZE))
    untrue: dict[str, Content] = {
        "hash": true.claiming(sha256=hashlib.sha256(b"something else").hexdigest()),
        "longer": true.claiming(size=SIZE + 5),
        "shorter": true.claiming(size=SIZE - 5),
    }
    repo, _ = front.offer({name: untrue[lie]})
    row = front.refuses(repo, "models.wrong_bytes", "models.changed_upstream")
    assert row["error"]["details"]["exit_code"] == 6
    assert front.home.thorp("pull", repo).returncode == 6


def test_B32_a_size_that_does_not_fit_the_hash_is_not_believed_of_what_is_here_already(front: Front) -> None:
    here, name = front.offer()
    assert front.pulled(here)["state"] == "done"
    untrue = content_of(front.folder / name).claiming(size=SIZE + 5)
    repo, _ = front.offer({name: untrue})
    front.refuses(repo, "models.changed_upstream")
    front.check_right(here, name)


def test_B32_wrong_bytes_of_a_small_file_are_refused_by_the_name_git_gives_it(front: Front) -> None:
    folder = front.folder / "small"
    folder.mkdir()
    (weights,) = tiny_safetensors(folder / "model.safetensors")
    config = tiny_config(folder / "config.json")
    repo, _ = front.offer({"model.safetensors": weights, "config.json": config})
    front.hub.faults.add(Fault(FaultKind.WRONG_BYTES, path="config.json", at=3, times=None))
    front.refuses(repo, "models.wrong_bytes")


# B30, B31: hubs in trouble, and hubs that move on


def test_B30_a_hub_in_trouble_leaves_what_is_here_usable(front: Front) -> None:
    here, _ = front.offer()
    away, _ = front.offer()
    assert front.pulled(here)["state"] == "done"
    for fault, status, code in (
        (Fault(FaultKind.RATE_LIMITED, value="17", times=None), 503, 75),
        (Fault(FaultKind.SERVER_ERROR, status=500, times=None), 502, 5),
        (Fault(FaultKind.SERVER_ERROR, status=503, value="nonsense", times=None), 502, 5),
        (Fault(FaultKind.DROP, times=None), 502, 5),
    ):
        front.hub.faults.clear()
        front.hub.faults.add(fault)
        answer = download(front.node, away)
        assert (answer.status, front.home.thorp("pull", away).returncode) == (status, code), answer.data
        if fault.kind is FaultKind.RATE_LIMITED:
            assert answer.headers["retry-after"] == "17"
        for more in ({}, {"revision": "main"}):
            assert front.pulled(here, **more)["state"] == "done"
        assert front.node.owner().request("POST", f"/api/v1/models/{here}/verify").data["ok"]
    front.check_nothing(away)


def test_B31_what_is_on_its_way_stays_the_commit_it_began_with(front: Front) -> None:
    repo, name = front.offer()
    first = front.hub.shelf.repos[repo].head.id
    front.hub.faults.add(Fault(FaultKind.STALL, repo=repo, after=HALF, seconds=0.0, times=1))
    transfer = download(front.node, repo).data["transfer_id"]
    until(lambda: front.hub.fetched(f"{repo}/{name}"), "bytes are on their way")
    other = gguf(front.folder / "other", name, seed=99, pad_to=SIZE)
    second = front.hub.add(repo, {name: other})
    front.node.owner().request("PUT", f"/api/v1/transfers/{transfer}/pause")
    assert front.node.owner().request("PUT", f"/api/v1/transfers/{transfer}/resume").status == 200
    assert rested(front.node, transfer)["state"] == "done"
    model = front.node.owner().request("GET", f"/api/v1/models/{repo}").data
    assert model["revision"] == first != second
    front.check_right(repo, name)
    told = front.pulled(repo, revision="main")
    assert (told["state"], told["revision"]) == ("done", second)


# B33: what a repository may list


def test_B33_a_repository_with_very_many_files_is_refused_at_once(front: Front) -> None:
    small = content_of(b"{}")
    files: dict[str, Any] = {f"folder-{number % 50}/config-{number}.json": small for number in range(25_000)}
    name = "many-7b-Q4_K_M.gguf"
    repo, _ = front.offer(files | {name: gguf(front.folder, name)})
    front.refuses(repo, "models.bad_hub_answer", "models.too_many_files")


COLLIDING = {
    "case": ("Model-7B-Q4_K_M.gguf", "model-7b-q4_k_m.gguf"),
    "form": ("mod\u00e9l-7b-Q4_K_M.gguf", "mode\u0301l-7b-Q4_K_M.gguf"),
    "sharp s": ("gro\u00df-7b-Q4_K_M.gguf", "gross-7b-Q4_K_M.gguf"),
    "a file and a folder": ("a-7b-Q4_K_M.gguf", "a-7b-Q4_K_M.gguf/b-7b-Q8_0.gguf"),
}


@pytest.mark.parametrize("what", COLLIDING)
def test_B33_names_that_a_disk_could_mix_up_are_refused(front: Front, what: str) -> None:
    files = {name: gguf(front.folder, f"c{number}.gguf", seed=number) for number, name in enumerate(COLLIDING[what])}
    repo, _ = front.offer(files)
    front.refuses(repo, "models.colliding_names")
    assert front.home.thorp("pull", repo).returncode == 6


ESCAPING = ("../x-7b-Q4_K_M.gguf", "../../../../tmp/x-7b-Q4_K_M.gguf", "/x-7b-Q4_K_M.gguf", "a/../../x-7b-Q4_K_M.gguf")
UNKEEPABLE = ("CON-7b.gguf/x-7b-Q4_K_M.gguf ", "a\\..\\x-7b-Q4_K_M.gguf", "x:y-7b-Q4_K_M.gguf", "x-7b-Q4_K_M.gguf.")


@pytest.mark.parametrize("path", [*ESCAPING, *UNKEEPABLE])
def test_B33_a_name_that_leaves_its_folder_is_never_written(front: Front, path: str) -> None:
    before = set(front.home.folder.rglob("*7b-Q4_K_M*")) | set(front.home.folder.parent.glob("*"))
    repo, _ = front.offer({path: gguf(front.folder, "escaping.gguf")})
    front.refuses(repo, "models.nothing_to_pull", "models.bad_hub_answer")
    config, weights = tiny_config(front.folder / "c.json"), tiny_safetensors(front.folder / "w.safetensors")[0]
    repo, _ = front.offer({"model.safetensors": weights, "config.json": config, f"{path}/../evil.json": config})
    row = front.pulled(repo)
    assert row["state"] in ("refused", "done"), row
    after = set(front.home.folder.rglob("*7b-Q4_K_M*")) | set(front.home.folder.parent.glob("*"))
    assert {one.name for one in after - before} <= {"escaping.gguf", "c.json", "w.safetensors"}
    assert not list(front.home.folder.rglob("evil.json"))


# B34: what its owners give to nobody but those who ask


def test_B34_a_gated_model_needs_the_owners_token_and_is_offered_to_nobody(front: Front, tmp_path: Path) -> None:
    repo, name = front.offer(gated=True)
    refused = Home(tmp_path / "n", front.hub)
    code, error = refused.fails("pull", repo)
    assert (code, error["code"]) == (4, "models.gated")
    assert "login hub" in error["message"]
    assert front.refuses(repo, "models.gated")["error"]

    front.hub.tokens[TOKEN].add(repo)
    before = set((front.home.folder / "data" / "torrents").glob("*"))
    assert front.pulled(repo)["state"] == "done"
    model = front.node.owner().request("GET", f"/api/v1/models/{repo}").data
    assert model["gated"] is True
    assert [one["infohash"] for one in model["files"]] == [None]
    assert json.loads(Path(model["receipt"]).read_text())["gated"] is True
    assert set((front.home.folder / "data" / "torrents").glob("*")) == before
    front.check_right(repo, name)


# D46 to D49, D55: files that are not what their name says, with the right hash


def test_D46_a_gguf_cut_anywhere_is_refused_whatever_its_hash(front: Front) -> None:
    whole = gguf(front.folder, "whole.gguf").read_bytes()
    header = whole.index(bytes(64))
    points = {*range(0, 64, 5), *range(64, header + 200, header // 25), *range(header, len(whole), len(whole) // 15)}
    points |= {len(whole) - 1}
    assert len(points) >= 50
    begun: dict[int, str] = {}
    for point in sorted(points):
        repo, _ = front.offer({"cut-7b-instruct-Q4_K_M.gguf": whole[:point]})
        answer = download(front.node, repo)
        assert answer.status == 202, (point, answer.data)
        begun[point] = answer.data["transfer_id"]
    for point, transfer in begun.items():
        row = rested(front.node, transfer)
        assert row["state"] == "failed", point
        assert FORMATS.fullmatch(row["error"]["code"]), (point, row["error"])
        assert row["error"]["details"]["exit_code"] == 6
        front.check_nothing(row["repo"])
    assert front.node.process.poll() is None
    assert front.home.thorp("pull", "--", f"{repo}:q4_k_m").returncode == 6


def test_D48_a_chat_template_of_ten_megabytes_is_data(front: Front, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = f"{{{{ cycler.__init__.__globals__.os.system('touch {marker}') }}}}"
    walk = "{{ ''.__class__.__mro__[1].__subclasses__() }}" + command
    endless = "{% for a in range(10**9) %}{% for b in range(10**9) %}{{ b }}{% endfor %}{% endfor %}"
    for template in (walk, endless, (endless + walk) * 70_000):
        name = f"loud-7b-{len(template)}-Q4_K_M.gguf"
        repo, _ = front.offer({name: gguf(front.folder, name, template=template)})
        row = front.pulled(repo)
        assert row["state"] == "done", row
        shown = front.node.owner().request("GET", f"/api/v1/models/{repo}")
        assert shown.status == 200
        assert "__subclasses__" not in json.dumps(shown.data)
    assert not marker.exists()


def test_D49_shards_that_make_no_model_are_refused(front: Front) -> None:
    def parts(folder: str, **more: Any) -> dict[str, Any]:
        (front.folder / folder).mkdir()
        return {one.name: one for one in tiny_gguf(front.folder / folder / "p-7b-Q4_0.gguf", shards=3, **more)}

    good, other = parts("good-parts"), parts("other-parts", seed=8, layers=2)
    names = sorted(good)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({name: good[name] for name in names[:2]}, "models.nothing_to_pull"),
        ({"p-7b-Q4_0-00001-of-99999.gguf": good[names[0]]}, "models.nothing_to_pull"),
        (good | {names[0]: other[names[0]]}, "formats.bad_shards"),
        (good | {names[1]: good[names[2]], names[2]: good[names[1]]}, "formats.bad_shards"),
        (good | {names[1]: gguf(front.folder, "alone.gguf")}, "formats.bad_shards"),
    )
    for files, code in cases:
        repo, _ = front.offer(files)
        front.refuses(repo, code)
    repo, _ = front.offer(good)
    assert front.pulled(repo)["state"] == "done"


def test_D55_code_that_comes_with_a_model_is_data_or_stays_away(front: Front, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    folder = front.folder / "remote"
    folder.mkdir()
    code = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n".encode()
    remote = {"AutoConfig": "modeling_evil.Evil", "AutoModelForCausalLM": "modeling_evil.Evil"}
    config = tiny_config(folder / "config.json", auto_map=remote, trust_remote_code=True)
    (weights,) = tiny_safetensors(folder / "model.safetensors")
    files: dict[str, Any] = {
        "model.safetensors": weights,
        "config.json": config,
        "tokenizer_config.json": json.dumps({"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}).encode(),
        "modeling_evil.py": code,
        "__init__.py": code,
        "setup.py": code,
        "pytorch_model.bin": b"cposix\nsystem\n(S'touch %s'\ntR." % str(marker).encode(),
        "tokenizer.json": b"{}",
    }
    repo, _ = front.offer(files)
    assert front.pulled(repo)["state"] == "done"
    model = front.node.owner().request("GET", f"/api/v1/models/{repo}").data
    paths = {one["path"] for one in model["files"]}
    assert {"model.safetensors", "config.json", "tokenizer_config.json"} <= paths
    assert not {path for path in paths if path.endswith((".py", ".bin"))}
    assert not front.hub.asked("modeling_evil.py")
    assert front.node.owner().request("POST", f"/api/v1/models/{repo}/verify").data["ok"]
    repo, _ = front.offer({"pytorch_model.bin": files["pytorch_model.bin"], "config.json": config})
    front.refuses(repo, "models.pickle_only")
    assert not marker.exists()
