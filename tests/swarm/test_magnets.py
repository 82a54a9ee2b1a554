import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.swarm.magnets import LONGEST, BadMagnetError, Magnet, magnet_of, parse_magnet

ONE, TWO = bytes(range(20)), bytes(range(32))
HEX = ONE.hex()
LINK = f"magnet:?xt=urn:btih:{HEX}"


def test_a_link_is_as_written() -> None:
    assert magnet_of(ONE, TWO, name="größe 7B&x=.gguf") == (
        f"{LINK}&xt=urn:btmh:1220{TWO.hex()}&dn=gr%C3%B6%C3%9Fe%207B%26x%3D.gguf"
    )
    assert magnet_of(ONE) == LINK
    with pytest.raises(ValueError, match="at least one"):
        magnet_of(None)


NAMES = st.text(string.ascii_letters + "ä -_&=+%#", max_size=30).filter(lambda name: not name.endswith(" "))


@given(
    st.tuples(st.none() | st.binary(min_size=20, max_size=20), st.none() | st.binary(min_size=32, max_size=32)), NAMES
)
def test_what_was_written_is_read(hashes: tuple[bytes | None, bytes | None], name: str) -> None:
    if any(hashes):
        assert parse_magnet(magnet_of(*hashes, name=name)) == Magnet(*hashes, name)


@pytest.mark.parametrize(
    "link",
    [
        f"  MAGNET:?xt=URN:BTIH:{HEX.upper()}\n",
        f"magnet:?xt=urn:btih:{base64.b32encode(ONE).decode()}",
        f"magnet:?xt=urn:btih:{base64.b32encode(ONE).decode().lower()}",
        f"magnet:?xt=urn%3Abtih%3A{HEX}",
        f"magnet:?xt.1=urn:btih:{HEX}&xt.2=urn:sha1:ABC&&",
        f"{LINK}&xt=urn:btih:{HEX}",
    ],
)
def test_links_as_people_write_them_are_read(link: str) -> None:
    assert parse_magnet(link) == Magnet(ONE, None, "")


def test_D53_trackers_web_seeds_and_peers_are_dropped() -> None:
    elsewhere = [
        "tr=http://192.168.1.1/announce",
        "tr.1=udp://127.0.0.1:1",
        "ws=http://169.254.169.254/latest/meta-data/",
        "as=http://10.0.0.1/x",
        "xs=http://[::1]/a.torrent",
        "mt=http://localhost/list",
        "x.pe=127.0.0.1:22",
        "so=0",
        "kt=words",
    ]
    many = [f"tr=http://10.0.0.{number}/announce" for number in range(200)]
    found = parse_magnet("&".join([LINK, *elsewhere, *many, "dn=a.gguf"]))

    assert found == Magnet(ONE, None, "a.gguf", ("tr", "tr.1", "ws", "as", "xs", "mt", "x.pe", "so", "kt"))
    assert magnet_of(found.infohash, found.infohash_v2, name=found.name) == f"{LINK}&dn=a.gguf"


@pytest.mark.parametrize(
    "name", ["..", "../a", "a/b", "a\\b", "C:", "a\0", "a\nb", "\x1b[2J", "a\u202efugg", "NUL", "x" * 256]
)
def test_D53_a_name_that_is_none_is_dropped(name: str) -> None:
    assert parse_magnet(magnet_of(ONE, name=name)).name == ""


def test_a_name_that_is_no_text_is_dropped() -> None:
    assert parse_magnet(f"{LINK}&dn=%ff%fe").name == ""


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("", "does not begin"),
        ("http://example.org/?xt=urn:btih:" + HEX, "does not begin"),
        ("magnet:?", "names no torrent"),
        ("magnet:?dn=a", "names no torrent"),
        ("magnet:?xt=urn:sha1:" + HEX, "names no torrent"),
        ("magnet:?xt=urn:btpk:" + HEX, "names no torrent"),
        ("magnet:?xt=urn:btih:", "neither 40 hex digits"),
        ("magnet:?xt=urn:btih:" + HEX[:-1], "neither 40 hex digits"),
        ("magnet:?xt=urn:btih:" + HEX[:-1] + "g", "neither 40 hex digits"),
        ("magnet:?xt=urn:btih:" + "1" * 32, "neither 40 hex digits"),
        ("magnet:?xt=urn:btih:../../../../../etc/passwd", "neither 40 hex digits"),
        ("magnet:?xt=urn:btmh:1114" + HEX, "no SHA-256"),
        ("magnet:?xt=urn:btmh:1220" + HEX, "no SHA-256"),
        (f"{LINK}&xt=urn:btih:{'0' * 40}", "two different torrents"),
        (f"{LINK}&tr={'x' * LONGEST}", "longer than"),
        (LINK + "&a" * 300, "more than 256 parts"),
    ],
)
def test_D53_a_link_that_names_nothing_to_fetch_is_refused(link: str, why: str) -> None:
    with pytest.raises(BadMagnetError, match=why):
        parse_magnet(link)


@given(st.text(max_size=80) | st.text("magnet:?xt=urbih&dn%+0aF.", max_size=80).map("magnet:?xt=urn:bt".__add__))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    try:
        found = parse_magnet(text)
    except BadMagnetError:
        return
    assert found.infohash or found.infohash_v2
