"""Addresses, listings and small files of a repository are read narrowly."""

import pytest

from thorp.models.git_plan import (
    BadAddressError,
    BadRepositoryError,
    Entry,
    Pointer,
    choose_files,
    looks_like_git,
    may_point,
    read_address,
    read_listing,
    read_pointer,
)
from thorp.models.refs import BadRefError
from thorp.models.selection import CollidingNamesError

OID = "a" * 40
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"b" * 64 + b"\nsize 300000\n"


@pytest.mark.parametrize(
    ("text", "protocol", "name", "lfs"),
    [
        ("https://host.example/org/m", "https", "org/m", "https://host.example/org/m.git/info/lfs"),
        ("https://host.example:8443/a/org/m.git/", "https", "org/m", "https://host.example:8443/a/org/m.git/info/lfs"),
        ("ssh://git@host.example/org/m.git", "ssh", "org/m", "ssh://git@host.example/org/m.git"),
        ("git@host.example:org/m.git", "ssh", "org/m", "git@host.example:org/m.git"),
        ("me@nas:models/foo", "ssh", "models/foo", "me@nas:models/foo"),
        ("file:///srv/git/org/m", "file", "org/m", "file:///srv/git/org/m"),
        ("https://host.example/m", "https", None, "https://host.example/m.git/info/lfs"),
    ],
)
def test_what_is_cloned_from(text: str, protocol: str, name: str | None, lfs: str) -> None:
    address = read_address(text, files=True)

    assert (address.protocol, address.name, address.lfs) == (protocol, name, lfs)
    assert looks_like_git(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x",
        "ext::sh -c touch% /tmp/x",
        "fd::7",
        "git://host.example/org/m",
        "http://host.example/org/m",
        "ftp://host.example/org/m",
        "https://user:secret@host.example/org/m",
        "https://-host.example/org/m",
        "https://host.example/org/m?x=1",
        "https://host.example/org/m#x",
        "https://host.example/%2e%2e/m",
        "https://host.example/org/m\n--upload-pack=x",
        "https://host.example/--upload-pack=x",
        "https://host.example\\@other.example/org/m",
        "ssh://-oProxyCommand=x/org/m",
        "ssh://-x@host.example/org/m",
        "-x@host.example:org/m",
        "git@-host.example:org/m",
        "git@host.example:-x",
        "file://relative/path",
        "file:///with%20percent",
        "file:///a\nb",
        "HTTPS://host.example/org/m",
        "https://host.example/" + "x" * 3000,
    ],
)
def test_D51_what_is_no_plain_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddressError):
        read_address(text, files=True)


def test_D51_a_repository_of_this_machine_is_for_its_own_command_line() -> None:
    with pytest.raises(BadAddressError, match="command line only"):
        read_address("file:///srv/git/org/m", files=False)


@pytest.mark.parametrize(
    "text", ["mistral:7b:instruct:q4_k_m", "org/repo:q4_k_m", "hf.co/org/repo:q4_0", "/a/b", "~/a"]
)
def test_refs_and_paths_are_no_addresses(text: str) -> None:
    assert not looks_like_git(text)


def test_what_begins_like_an_address_is_told_as_one() -> None:
    assert looks_like_git("ext::sh -c x")


def row(mode: str, path: bytes, kind: str = "blob", size: bytes = b"7") -> bytes:
    return f"{mode} {kind} {OID} ".encode() + b"     " + size + b"\t" + path + b"\0"


def test_files_are_listed_and_submodules_passed_over() -> None:
    listing = row("100644", b"a.gguf") + row("100755", b"x\ty") + row("160000", b"sub", "commit", b"-")

    assert read_listing(listing) == (Entry("a.gguf", OID, 7), Entry("x\ty", OID, 7))
    assert read_listing(b"") == ()


@pytest.mark.parametrize("listing", [row("120000", b"link"), b"nonsense\0", row("100644", b"")])
def test_D51_a_link_refuses_the_whole(listing: bytes) -> None:
    with pytest.raises(BadRepositoryError):
        read_listing(row("100644", b"a.gguf") + listing)


def test_B33_a_repository_without_end_is_refused() -> None:
    with pytest.raises(BadRepositoryError, match="20001 files"):
        read_listing(row("100644", b"a") * 20_001)


def test_pointers_are_told_from_files() -> None:
    assert read_pointer(POINTER, "a.gguf") == Pointer("b" * 64, 300_000)
    assert read_pointer(b"{}", "config.json") is None
    assert may_point(Entry("a", OID, 131))
    assert not may_point(Entry("a", OID, 1024))


@pytest.mark.parametrize(
    "content",
    [
        POINTER + b"more\n",
        POINTER.replace(b"sha256", b"md5"),
        POINTER.replace(b"300000", b"-1"),
        POINTER.replace(b"300000", b"9" * 16),
        b"version https://git-lfs.github.com/spec/v1\next-0-x sha256:" + b"c" * 64 + b"\n",
        b"version https://hawser.github.com/spec/v1\n",
    ],
)
def test_D51_a_pointer_of_another_kind_is_refused(content: bytes) -> None:
    with pytest.raises(BadRepositoryError):
        read_pointer(content, "a.gguf")


def test_only_what_models_are_made_of_is_chosen() -> None:
    entries = [Entry(path, OID, 7) for path in ("a-Q8_0.gguf", "setup.py", ".gitattributes", "b-Q4_0.gguf")]
    chosen = choose_files("org/m", OID, entries, {"a-Q8_0.gguf": Pointer("b" * 64, 9)})

    assert [one.path for one in chosen.files] == ["a-Q8_0.gguf", "b-Q4_0.gguf"]


@pytest.mark.parametrize("path", ["../a.gguf", "/a.gguf", "x/../../a.gguf", "CON.gguf", "a\x00.gguf", "a:b.gguf"])
def test_D51_a_path_that_leads_out_is_left_out(path: str) -> None:
    try:
        chosen = choose_files("org/m", OID, [Entry(path, OID, 7), Entry("b-Q4_0.gguf", OID, 7)], {})
    except BadRefError:
        return
    assert [one.path for one in chosen.files] == ["b-Q4_0.gguf"]


def test_B33_names_that_collide_are_refused() -> None:
    with pytest.raises(CollidingNamesError):
        choose_files("org/m", OID, [Entry("A.gguf", OID, 7), Entry("a.gguf", OID, 7)], {})
