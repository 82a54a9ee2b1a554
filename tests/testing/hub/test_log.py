import json
from dataclasses import replace

from thorp.testing.hub.log import Asked, Log
from thorp.testing.hub.request import Host

ASKED = Asked(Host.CDN, "GET", "/x", "", (5, None), 0, 0, authorization=False, at=1.0, repo="o/r", file="a.gguf")


def test_an_entry_grows_while_it_is_read() -> None:
    log = Log()
    entry = log.begin(ASKED)
    assert log.read() == (ASKED,)
    entry.answered(206, 5, ("cut",))
    assert entry.counting(lambda: 10) == 10
    entry.counting(lambda: 7)
    (now,) = log.read()
    assert (now.status, now.sent, now.span, now.faults, now.done) == (206, 17, (5, 22), ("cut",), False)
    assert entry.ended().done
    assert log.read()[0].done


def test_bytes_of_no_file_have_no_place() -> None:
    assert replace(ASKED, sent=5).span is None
    assert replace(ASKED, first=0).span is None


def test_a_file_is_meant_with_or_without_its_repository() -> None:
    assert [ASKED.is_for(one) for one in ("a.gguf", "o/r/a.gguf", "r/a.gguf")] == [True, True, False]
    assert not replace(ASKED, file="").is_for("")


def test_a_log_begins_anew_and_is_json() -> None:
    log = Log()
    log.begin(ASKED)
    assert json.loads(json.dumps(ASKED.as_json()))["host"] == "cdn"
    log.clear()
    assert log.read() == ()
