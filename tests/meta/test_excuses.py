from tools.meta.excuses import judged


def test_a_finding_without_an_excuse_is_reported() -> None:
    assert judged({"a.py": "is too long"}, {}) == ["a.py: is too long"]


def test_an_excuse_silences_its_finding_and_nothing_else() -> None:
    assert judged({"a.py": "is too long", "b.py": "is too long"}, {"a.py": "a table"}) == ["b.py: is too long"]


def test_an_excuse_nobody_needs_is_reported() -> None:
    assert judged({}, {"a.py": "a table"}) == ["a.py: needs no exception now; take it off the list"]


def test_an_excuse_without_a_reason_is_reported() -> None:
    assert judged({"a.py": "is too long"}, {"a.py": " "}) == ["a.py: an exception needs a reason"]
