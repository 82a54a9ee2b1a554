import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.access.credentials import (
    CROCKFORD,
    Credential,
    CredentialKind,
    TwoCredentialsError,
    crockford,
    hash_of,
    new_id,
    new_owner_token,
    new_secret,
    parse,
    proves,
    read_credentials,
    written,
)
from thorp.testing.clock import FakeRandomness

SECRET = "A" * 21 + "-_" + "z" * 20
KEY = f"thorp_k0123abcd_{SECRET}"
OTHER_KEY = f"thorp_kzyxw9876_{SECRET}"
SESSION = f"thorp_s0123abcd_{SECRET}"
OWNER = f"thorp_o_{SECRET}"


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


EVERY_FORM = [
    (b"authorization", f"Bearer {KEY}".encode()),
    (b"authorization", f"bearer   {KEY} ".encode()),
    (b"authorization", KEY.encode()),
    (b"authorization", basic("anybody", KEY)),
    (b"authorization", basic("", KEY)),
    (b"x-api-key", KEY.encode()),
    (b"cookie", f"thorp_session={KEY}".encode()),
    (b"cookie", f'theme=dark; thorp_session="{KEY}"; a=b'.encode()),
]


@pytest.mark.parametrize("header", EVERY_FORM)
def test_A9_every_header_form_carries_the_same_credential(header: tuple[bytes, bytes]) -> None:
    assert read_credentials([(b"host", b"localhost"), header]) == Credential(CredentialKind.KEY, "k0123abcd", SECRET)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        (KEY, CredentialKind.KEY, "k0123abcd"),
        (SESSION, CredentialKind.SESSION, "s0123abcd"),
        (f"thorp_p0123abcd_{SECRET}", CredentialKind.PAGES, "p0123abcd"),
        (OWNER, CredentialKind.OWNER, "o"),
    ],
)
def test_each_kind_has_its_id(text: str, kind: CredentialKind, name: str) -> None:
    credential = parse(text)

    assert credential == Credential(kind, name, SECRET)
    assert written(credential.id, credential.secret) == text


@pytest.mark.parametrize(
    "text",
    [
        "thorp_",
        "thorp_k0123abcd",
        f"thorp_k0123abcd_{SECRET}x",
        f"thorp_k0123abcd_{SECRET[:-1]}",
        f"thorp_k0123abcd_{SECRET[:-1]}=",
        f"thorp_K0123ABCD_{SECRET}",
        f"thorp_k0123abcu_{SECRET}",  # u is no Crockford character
        f"thorp_x0123abcd_{SECRET}",
        f"thorp_o0123abcd_{SECRET}",
        f"{KEY}\n",
        f"{KEY} ",
    ],
)
def test_a_malformed_credential_is_unknown_and_not_overlooked(text: str) -> None:
    assert parse(text).kind is CredentialKind.UNKNOWN


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"Bearer sk-no-key-required")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"")],
        [(b"authorization", b"Basic !!!")],
        [(b"authorization", b"Basic " + base64.b64encode(KEY.encode()))],  # as user, without a colon
        [(b"authorization", f"Digest {KEY}".encode())],
        [(b"x-api-key", b"ollama")],
        [(b"x-api-key", f"THORP_{KEY[6:]}".encode())],
        [(b"cookie", f"other={KEY}; thorp_session".encode())],
        [(b"cookie", b"thorp_session=")],
        [(b"x-other", KEY.encode())],
    ],
)
def test_what_has_no_prefix_of_ours_counts_as_nothing(headers: list[tuple[bytes, bytes]]) -> None:
    assert read_credentials(headers) is None


def test_a_made_up_key_beside_a_real_one_counts_as_nothing() -> None:
    headers = [(b"authorization", b"Bearer sk-dummy"), (b"x-api-key", KEY.encode())]

    assert read_credentials(headers) == parse(KEY)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", f"Bearer {KEY}".encode()), (b"x-api-key", OTHER_KEY.encode())],
        [(b"x-api-key", KEY.encode()), (b"x-api-key", OTHER_KEY.encode())],
        [(b"authorization", f"Bearer {KEY}".encode()), (b"authorization", basic("u", OTHER_KEY))],
        [(b"cookie", f"thorp_session={SESSION}; thorp_session={KEY}".encode())],
        [(b"x-api-key", KEY.encode()), (b"authorization", b"Bearer thorp_broken")],
    ],
)
def test_A10_two_different_credentials_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(TwoCredentialsError) as caught:
        read_credentials(headers)

    assert (caught.value.code, caught.value.status) == ("access.two_credentials", 400)
    assert SECRET not in caught.value.message


@pytest.mark.parametrize("cookie", [SESSION, OTHER_KEY, "thorp_broken", f"{KEY}; thorp_session={SESSION}"])
def test_A10_a_cookie_neither_outweighs_nor_blocks_what_is_shown_on_purpose(cookie: str) -> None:
    planted = (b"cookie", f"thorp_session={cookie}".encode())
    key = (b"x-api-key", KEY.encode())

    assert read_credentials([planted, key]) == read_credentials([key, planted]) == parse(KEY)
    assert not read_credentials([planted, key]).ambient


def test_A10_the_same_credential_twice_is_one_and_counts_as_shown_on_purpose() -> None:
    cookie, header = (b"cookie", f"thorp_session={KEY}".encode()), (b"x-api-key", KEY.encode())

    assert read_credentials([cookie]).ambient
    assert not read_credentials([cookie, header]).ambient
    assert not read_credentials([header, cookie]).ambient


def test_a_secret_is_not_shown_by_accident() -> None:
    assert SECRET not in repr(parse(KEY))
    assert "thorp_broken" not in repr(parse("thorp_broken"))


def test_the_hash_of_a_secret_is_frozen() -> None:
    assert hash_of(SECRET).hex() == "c076704e4dee554a3f95310e46e493b957e8804fdc538b4db16e579c8cc73330"


def test_only_the_very_secret_proves() -> None:
    kept = hash_of(SECRET)

    assert proves(parse(KEY), kept)
    assert not proves(parse(KEY[:-1] + "A"), kept)
    assert not proves(parse(KEY), bytes(32))


def test_new_secrets_and_ids_fit_the_format() -> None:
    randomness = FakeRandomness()
    key = written(new_id(CredentialKind.KEY, randomness), new_secret(randomness))

    assert parse(key).kind is CredentialKind.KEY
    assert parse(written(new_id(CredentialKind.SESSION, randomness), new_secret(randomness))).kind == "s"
    assert new_secret(randomness) != new_secret(randomness)
    assert len(base64.urlsafe_b64decode(new_secret(randomness) + "=")) == 32


def test_every_owner_token_is_new_and_proven_by_its_hash() -> None:
    randomness = FakeRandomness()
    (first, first_hash), (second, second_hash) = new_owner_token(randomness), new_owner_token(randomness)

    assert parse(second).kind is CredentialKind.OWNER
    assert proves(parse(first), first_hash)
    assert proves(parse(second), second_hash)
    assert not proves(parse(first), second_hash)


def test_crockford_draws_from_its_whole_alphabet() -> None:
    assert set(crockford(FakeRandomness(), 2_000)) == set(CROCKFORD)
    assert re.fullmatch("[0-9abcdefghjkmnpqrstvwxyz]{8}", crockford(FakeRandomness(), 8))


@given(st.text(max_size=200) | st.text(max_size=80).map("thorp_{}".format))
def test_any_text_is_a_credential_or_none(text: str) -> None:
    credential = parse(text)

    assert (credential is None) == (not text.startswith("thorp_"))


names = st.sampled_from([b"authorization", b"x-api-key", b"cookie", b"host"])
values = st.binary(max_size=120) | st.builds(
    lambda scheme, rest: scheme + rest,
    st.sampled_from([b"Bearer ", b"Basic ", b"thorp_session=", b"thorp_", b"Bearer thorp_", b"Basic dGhvcnBf"]),
    st.binary(max_size=80),
)


@given(st.lists(st.tuples(names, values), max_size=6))
def test_any_headers_are_read_without_surprise(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        credential = read_credentials(headers)
    except TwoCredentialsError:
        assert len(headers) > 1 or b";" in headers[0][1]
    else:
        assert credential is None or credential.kind in CredentialKind
