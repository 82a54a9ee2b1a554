import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.identity.scopes import EVERY_SCOPE, Scope, UnknownScopeError, parse_scopes


def test_the_words_are_frozen() -> None:
    assert sorted(EVERY_SCOPE) == [
        "config:write",
        "inference",
        "keys:write",
        "mesh:read",
        "mesh:write",
        "metrics",
        "models:read",
        "models:write",
        "node:read",
        "slots:read",
        "slots:write",
        "transfers:write",
        "usage:read",
    ]


def test_words_become_scopes() -> None:
    assert parse_scopes(("inference", "models:read", "inference")) == {Scope.INFERENCE, Scope.MODELS_READ}
    assert parse_scopes(()) == frozenset()


@pytest.mark.parametrize(("word", "hint"), [("inferense", "Did you mean `inference`"), ("model:read", "`models:read`")])
def test_a_slip_is_named_with_what_was_meant(word: str, hint: str) -> None:
    with pytest.raises(UnknownScopeError, match=hint) as caught:
        parse_scopes(("inference", word))

    assert (caught.value.code, caught.value.status) == ("access.unknown_scope", 400)
    assert caught.value.details == {"scope": word}


@pytest.mark.parametrize("word", ["", "*", "INFERENCE", "inference ", "models:*", "owner"])
def test_nothing_but_the_very_word_opens(word: str) -> None:
    with pytest.raises(UnknownScopeError):
        parse_scopes((word,))


@given(st.frozensets(st.sampled_from(sorted(Scope))))
def test_scopes_come_back_from_their_words(scopes: frozenset[Scope]) -> None:
    assert parse_scopes(tuple(scope.value for scope in scopes)) == scopes
