"""The fake source gives what it holds, fails as it is told, and remembers both."""

import hashlib
import threading

import pytest

from thorp.base.errors import NetworkError
from thorp.models.types import SourceKind
from thorp.testing.sources import FakeSource, Mishap, covered, wanted_of

DATA = bytes(range(100))


def read(source: FakeSource, first: int = 0, end: int = 100, *, step: int = 30) -> bytes:
    got, buffer = b"", memoryview(bytearray(step))
    with source.read(wanted_of(DATA), first, end, threading.Event()) as line:
        while count := line.readinto(buffer):
            got += bytes(buffer[:count])
    return got


def test_it_gives_the_range_that_was_asked_for_and_remembers_it() -> None:
    source = FakeSource(DATA, SourceKind.LAN, most=7)

    assert read(source, 10, 50) == DATA[10:50]
    assert (source.asked, source.given, source.bytes_given) == ([(10, 50)], [(10, 50)], 40)


def test_each_mishap_strikes_one_request() -> None:
    source = FakeSource(DATA, mishaps=[Mishap(NetworkError("gone")), Mishap(NetworkError("cut"), 20), Mishap(after=5)])

    with pytest.raises(NetworkError, match="gone"):
        read(source)
    with pytest.raises(NetworkError, match="cut"):
        read(source)
    assert read(source) == DATA[:5]
    assert read(source) == DATA
    assert source.given == [(0, 20), (0, 5), (0, 100)]


def test_what_stalls_ends_with_the_transfer() -> None:
    source, stop = FakeSource(DATA, mishaps=[Mishap(after=5, stalls=True)]), threading.Event()
    buffer = memoryview(bytearray(10))

    with source.read(wanted_of(DATA), 0, 100, stop) as line:
        assert line.readinto(buffer) == 5
        stop.set()
        with pytest.raises(NetworkError):
            line.readinto(buffer)


def test_bytes_beyond_the_file_are_a_mistake_of_who_asks() -> None:
    with pytest.raises(ValueError, match="bytes 50 to 101 of 100"):
        read(FakeSource(DATA), 50, 101)


def test_bytes_count_once_however_often_they_were_given() -> None:
    assert covered([(5, 10), (0, 6), (20, 21), (7, 8)]) == 11


def test_files_are_listed_as_a_hub_does() -> None:
    large, small = wanted_of(b"{}").file, wanted_of(b"{}", git=True).file

    assert large.blob == large.sha256 == hashlib.sha256(b"{}").hexdigest()
    assert (small.blob, small.sha256) == ("9e26dfeeb6e641a33dae4961196235bdb965b21b", None)
