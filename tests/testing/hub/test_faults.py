import pytest

from thorp.base.errors import UsageError
from thorp.testing.hub.faults import Fault, FaultKind, Faults, On, Target, fits, read_fault
from thorp.testing.hub.request import Host

BYTES = Target(On.BYTES, Host.CDN, "GET", "o/r", "a.gguf", (100, 200), ranged=True)
WHOLE = Target(On.BYTES, Host.CDN, "GET", "o/r", "a.gguf", (0, 300))
HEAD = Target(On.BYTES, Host.CDN, "HEAD", "o/r", "a.gguf", (0, 300))
RESOLVE = Target(On.RESOLVE, Host.HUB, "HEAD", "o/r", "a.gguf")
API = Target(On.API, Host.HUB, "GET", "o/r")


@pytest.mark.parametrize(
    ("fault", "hit"),
    [
        (Fault(FaultKind.CUT), [BYTES, WHOLE]),
        (Fault(FaultKind.CUT, at=99), [WHOLE]),
        (Fault(FaultKind.CUT, at=200), [WHOLE]),
        (Fault(FaultKind.WRONG_BYTES, at=98, length=3), [BYTES, WHOLE]),
        (Fault(FaultKind.IGNORE_RANGE), [BYTES]),
        (Fault(FaultKind.DROP), [BYTES, WHOLE, HEAD, RESOLVE, API]),
        (Fault(FaultKind.DROP, path="*.gguf"), [BYTES, WHOLE, HEAD, RESOLVE]),
        (Fault(FaultKind.DROP, repo="x/*"), []),
        (Fault(FaultKind.DROP, host=Host.CDN, method="GET"), [BYTES, WHOLE]),
        (Fault(FaultKind.DROP, on=On.API), [API]),
        (Fault(FaultKind.WRONG_LENGTH, on=On.RESOLVE), [RESOLVE]),
    ],
)
def test_whom_a_fault_hits(fault: Fault, hit: list[Target]) -> None:
    assert [one for one in (BYTES, WHOLE, HEAD, RESOLVE, API) if fits(fault, one)] == hit


def test_a_fault_strikes_as_often_as_it_was_told_to() -> None:
    faults = Faults()
    once, later, always = (
        Fault(FaultKind.DROP),
        Fault(FaultKind.CUT, skip=1, times=2),
        Fault(FaultKind.SLOW, times=None),
    )
    faults.add(once, later, always)
    struck = [faults.strike(WHOLE) for _ in range(4)]
    assert struck == [(once, always), (later, always), (later, always), (always,)]
    assert faults.left == (always,)
    faults.clear()
    assert faults.strike(WHOLE) == ()


def test_what_it_does_not_fit_uses_nothing_up() -> None:
    faults = Faults()
    faults.add(Fault(FaultKind.CUT))
    assert faults.strike(API) == ()
    assert len(faults.left) == 1


def test_a_fault_is_read_from_json() -> None:
    read = read_fault('{"kind": "stall", "after": 5, "on": "bytes", "host": "cdn", "times": null}')
    assert read == Fault(FaultKind.STALL, after=5, on=On.BYTES, host=Host.CDN, times=None)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "x"}', '{"kind": "cut", "afterwards": 1}'])
def test_what_is_no_fault_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="is no fault"):
        read_fault(text)
