"""A tar is read from front to back, and only what `thorp` writes is understood."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.models.bundle_tar import BadBundleError, Member, TarReader, begins_as


def archive(*members: tuple[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def read(data: bytes) -> list[tuple[str, bytes]]:
    reader = TarReader(io.BytesIO(data), "m.tar")
    found: list[tuple[str, bytes]] = []
    while (member := reader.next()) is not None:
        content = b""
        while more := reader.read(100):
            content += more
        found.append((member.name, content))
    return found


def test_files_come_in_order_with_all_their_bytes() -> None:
    members = [("a", b""), ("b/c", b"x" * 512), ("d", b"y" * 513), ("é" * 99, b"z"), ("long/" * 60 + "x", b"1")]
    assert read(archive(*members)) == members


def test_a_size_that_the_old_header_cannot_hold_is_read() -> None:
    info = tarfile.TarInfo("large")
    info.size = 2**40
    reader = TarReader(io.BytesIO(info.tobuf(tarfile.PAX_FORMAT)), "m.tar")

    assert reader.next() == Member("large", 2**40)


def extended(records: bytes, size: int | None = None) -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, len(records) if size is None else size
    return info.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512) + archive(("a", b"1"))


@pytest.mark.parametrize(
    "records",
    [
        b"", b"x", b"0 a=b\n", b"99 path=x\n", b"9 path=xy", b"10 path=xy", b"-9 path=x\n", b"9999999999999 path=x\n",
        b"10 path=x\n10 path=y\n", b"12 mtime=12\n", b"22 GNU.sparse.major=1\n", b"14 linkpath=x\n", b"11 size=-12\n",
        b"10 size=x\n", b"12 size=1_0\n", b"9 noequal\n", b"29 size=99999999999999999999\n", b"\xff\xff 1=2\n",
    ],
)  # fmt: skip
def test_D51_headers_that_make_no_sense_are_refused(records: bytes) -> None:
    with pytest.raises(BadBundleError):
        read(extended(records))


@pytest.mark.parametrize("size", [16 * 1024 + 1, 2**33 - 1])
def test_D51_a_header_is_not_read_when_it_is_too_long(size: int) -> None:
    with pytest.raises(BadBundleError, match="too long"):
        read(extended(b"10 path=x\n", size))


def test_D51_bytes_between_files_and_behind_the_end_are_refused() -> None:
    whole = archive(("a", b"1"), ("b", b"2"))
    between = bytearray(whole)
    between[512 + 200] = 1

    for data in (bytes(between), whole + b"\0" * 70_000, whole + b"1", archive(("a", b"1"))[:1536]):
        with pytest.raises(BadBundleError):
            read(data)


def test_D51_a_file_that_was_not_read_is_not_passed_over() -> None:
    reader = TarReader(io.BytesIO(archive(("a", b"1"), ("b", b"2"))), "m.tar")
    reader.next()
    with pytest.raises(BadBundleError):
        reader.next()


@given(st.binary(max_size=2048), st.integers(0, 3000))
def test_D51_noise_is_refused_and_nothing_else_happens(noise: bytes, at: int) -> None:
    good = bytearray(archive(("a", b"1" * 600), ("b", b"2")))
    good[at : at + len(noise)] = noise
    for data in (noise, bytes(good)):
        try:
            read(data)
        except BadBundleError:
            continue


def test_a_bundle_is_known_by_its_first_block() -> None:
    assert begins_as(archive(("name", b""))[:512], "name")
    assert not begins_as(archive(("names", b""))[:512], "name")
    assert not begins_as(b"name".ljust(512, b"\0"), "name")
    assert not begins_as(b"", "name")
