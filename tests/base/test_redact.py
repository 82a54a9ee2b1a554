import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.redact import GONE, RULES, redact, without_folders

KEY = "thorp_k7h3mqx2p_" + "Zk9-_q" * 7 + "A"
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----"

TELLING = {
    "PEM block": [
        (f"loaded {PEM} from disk", "loaded [redacted PRIVATE KEY] from disk"),
        ("cut off -----BEGIN EC PRIVATE KEY-----\\nMC4C", "cut off [redacted EC PRIVATE KEY]"),
    ],
    "user and password in a URL": [
        ("GET https://ann:pa55@hub.example/x", f"GET https://{GONE}@hub.example/x"),
        ("GET https://ann:pa@55@hub.example/x", f"GET https://{GONE}@hub.example/x"),
        ("GET https://hub.example/a@b", "GET https://hub.example/a@b"),
    ],
    "header or field as JSON and Python show it": [
        ('{"password": "pa\\"55", "user": "ann"}', f'{{"password": "{GONE}", "user": "ann"}}'),
        ("[(b'x-api-key', b'pa55'), (b'host', b'h')]", f"[(b'x-api-key', b'{GONE}'), (b'host', b'h')]"),
        ("{'Authorization': 'Digest a, b'}", f"{{'Authorization': '{GONE}'}}"),
    ],
    "header as HTTP shows it": [
        ("X-Api-Key: pa55", f"X-Api-Key: {GONE}"),
        ("Cookie: a=1; thorp=pa55\nHost: h", f"Cookie: {GONE}\nHost: h"),
        ('Authorization: Digest username="ann", response="pa55"', f"Authorization: {GONE}"),
        ("Proxy-Authorization: Custom pa55 55", f"Proxy-Authorization: {GONE}"),
    ],
    "value of a telling name": [
        ("token=pa55&next=1", f"token={GONE}&next=1"),
        ("connect(password='pa 55', user='ann')", f"connect(password={GONE}, user='ann')"),
        ("client_secret: pa55", f"client_secret: {GONE}"),
        ("12 tokens: fine", "12 tokens: fine"),
    ],
    "key in a query": [
        ("/v1/models?key=pa55&limit=2", f"/v1/models?key={GONE}&limit=2"),
    ],
    "claim or login code": [
        ("http://127.0.0.1:8737/#code=7H3MQX2P", f"http://127.0.0.1:8737/#code={GONE}"),
        ("code=7H3M-QX2P", f"code={GONE}"),
        ("exit_code=130 code=404", "exit_code=130 code=404"),
    ],
    "Thorp key; its id stays, so that it can be revoked": [
        (f"made {KEY}.", f"made thorp_k7h3mqx2p_{GONE}."),
        ("thorp_o_Zk9-_q", f"thorp_o_{GONE}"),
        ("module thorp_base_settings", "module thorp_base_settings"),
    ],
    "bearer token": [
        ("sent Bearer abc.def-ghi= to it", f"sent Bearer {GONE} to it"),
        ("sent bearer  abc", f"sent bearer {GONE}"),
    ],
    "basic authentication": [
        ("sent Basic YW5uOnBhNTU= to it", f"sent Basic {GONE} to it"),
        ("basic settings are fine", "basic settings are fine"),
    ],
    "Hugging Face token": [
        ("using hf_" + "aB3" * 11, f"using hf_{GONE}"),
        ("using hf_transfer", "using hf_transfer"),
    ],
    "key of an OpenAI-shaped service": [
        ("using sk-proj-aB3_x-9", f"using sk-{GONE}"),
        ("task-management", "task-management"),
    ],
}
EXAMPLES = [example for examples in TELLING.values() for example in examples]


@pytest.mark.parametrize(("before", "after"), EXAMPLES)
def test_a_secret_goes_and_the_rest_stays(before: str, after: str) -> None:
    assert redact(before) == after


def test_every_rule_has_an_example_that_needs_it() -> None:
    assert set(TELLING) == {name for name, _, _ in RULES}
    for name, pattern, replacement in RULES:
        before, after = TELLING[name][0]
        assert pattern.sub(replacement, before) == after


@pytest.mark.parametrize(("before", "after"), EXAMPLES)
def test_redacting_twice_is_redacting_once(before: str, after: str) -> None:
    assert redact(after) == after
    assert redact(redact(before)) == redact(before)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_surroundings_save_a_key(before: str, after: str) -> None:
    assert KEY[-43:] not in redact(f"{before}{KEY}{after}")


def test_A8_a_key_in_a_query_string_does_not_reach_the_log() -> None:
    line = redact(f'GET /v1/models?api_key={KEY}&key=short-one HTTP/1.1" 401')

    assert KEY[-43:] not in line
    assert "short-one" not in line
    assert "401" in line


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Cannot read `/srv/ann/thorp/config.toml`: no.", "Cannot read `config.toml`: no."),
        ("Cannot read `/srv/Ann B/th rp/config.toml`.", "Cannot read `config.toml`."),
        ("no `x` (/srv/ann/config.toml, line 3).", "no `x` (config.toml, line 3)."),
        ("[Errno 13] Permission denied: '/srv/x/y'", "[Errno 13] Permission denied: 'y'"),
        ('cannot open "/srv/y"', 'cannot open "y"'),
        ("`GET` at `/api/v1/keys`, `/v1/models`", "`GET` at `/api/v1/keys`, `/v1/models`"),
        ("`/metrics` and / and `/`", "`/metrics` and / and `/`"),
        ("/api/v1/keys needs the owner.", "/api/v1/keys needs the owner."),
        ("and/or `a/b/c`", "and/or `a/b/c`"),
    ],
)
def test_a_file_keeps_its_name_and_loses_its_folders(before: str, after: str) -> None:
    assert without_folders(before) == after
    assert without_folders(after) == after


@given(st.text())
def test_any_text_loses_no_more_than_folders(text: str) -> None:
    kept = without_folders(text)
    assert len(kept) <= len(text)
    assert kept == text or "/" in text
