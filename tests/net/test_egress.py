import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.net.egress import Guard, Reach, Target, check_hop, join_url, parse_url, reach_of
from thorp.net.outward_errors import EgressRefusedError

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    ("reach", "addresses"),
    [
        (
            Reach.PUBLIC,
            f"{PUBLIC} 1.1.1.1 192.0.1.1 100.128.0.1 172.32.0.1 2606:4700::1111 2a00:1450::1 2002:0101:0101::1",
        ),
        (Reach.PRIVATE, "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255 fd00::1 fc12::9"),
        (Reach.LOOPBACK, "127.0.0.1 127.255.255.254 ::1"),
        (Reach.NEVER, "0.0.0.0 0.1.2.3 169.254.169.254 169.254.0.1 fe80::1 fe80::1%eth0 fec0::1 fd00:ec2::254"),
        (Reach.NEVER, "224.0.0.1 239.192.42.1 ff02::1 255.255.255.255 240.0.0.1 :: 100.100.100.200 168.63.129.16"),
        (
            Reach.NEVER,
            "::ffff:127.0.0.1 ::ffff:93.184.216.34 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1",
        ),
        (Reach.NEVER, "2002:7f00:1::1 2002:c0a8:101::1 2001:0:7f00:1::1 2001:0:101:101:0:0:f5ff:fffe 2001:2::1"),
        (
            Reach.NEVER,
            "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1 198.18.0.1 198.19.255.255 192.0.0.1 100::1",
        ),
        (Reach.NEVER, "fd20:ce::254 4000::1 5f00::1 fe80 localhost 1.2.3 127.1 0x7f.1"),
    ],
)
def test_B21_every_address_has_its_class(reach, addresses):
    assert {one: reach_of(one) for one in addresses.split()} == dict.fromkeys(addresses.split(), reach)


@given(st.ip_addresses(v=4))
def test_B21_no_mapped_form_of_any_address_is_reached(address):
    number = int(address)
    for high in (0xFFFF << 32, 0, 0x64FF9B << 96, (0x64FF9B0001 << 80)):
        six = (high | number).to_bytes(16, "big")
        text = ":".join(six[i : i + 2].hex() for i in range(0, 16, 2))
        assert reach_of(text) in ({Reach.NEVER, Reach.LOOPBACK} if number == 1 and not high else {Reach.NEVER})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://huggingface.co", Target("https", "huggingface.co", 443, "/")),
        ("HTTPS://HuggingFace.CO:443/a/b?c=d#e", Target("https", "huggingface.co", 443, "/a/b?c=d")),
        ("http://127.0.0.1:8080?x", Target("http", "127.0.0.1", 8080, "/?x")),
        ("http://[::1]:80/", Target("http", "::1", 80, "/")),
        ("http://[0:0:0:0:0:0:0:1]/", Target("http", "::1", 80, "/")),
        ("https://bücher.example/ü", Target("https", "xn--bcher-kva.example", 443, "/%C3%BC")),
        ("https://例え.テスト/%41", Target("https", "xn--r8jz45g.xn--zckzah", 443, "/%41")),
        ("https://a_b.example/@x", Target("https", "a_b.example", 443, "/@x")),
    ],
)
def test_a_url_is_read_once_into_its_parts(text, expected):
    target = parse_url(text)
    assert target == expected
    assert parse_url(target.url) == target


REFUSED = [
    "ftp://a.example",
    "file:///etc/passwd",
    "gopher://a.example",
    "javascript:alert(1)",
    "//a.example/",
    "a.example",
    "https:a.example",
    "https:/a.example",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://127.1/",
    "http://127.0.0.01/",
    "http://1.2.3.4.5/",
    "http://256.1.1.1/",
    "http://127.0.0.1./",
    "https://a.example./",
    "https://.a.example/",
    "https://a..example/",
    "https:///",
    "https://:80/",
    "https://?x",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[::1/",
    "http://::1/",
    "http://[]/",
    "http://[127.0.0.1]/",
    "http://[v1.x]/",
    "http://[::1]x/",
    "https://a.example:0/",
    "https://a.example:65536/",
    "https://a.example:/",
    "https://a.example:-1/",
    "https://a.example:8a/",
    "https://a.example:80:80/",
    "https://a%2eexample/",
    "https://a.example%00/",
    "https://-a.example/",
    "https://a-.example/",
    "https://a,b/",
    "https://a!b/",
]


@pytest.mark.parametrize("text", REFUSED)
def test_B21_unusual_spellings_are_refused(text):
    with pytest.raises(EgressRefusedError):
        parse_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://a@b\\@c",
        "http://a@b/",
        "http://a:b@c/",
        "http://@c/",
        "http://a.example\\@b.example/",
        "http:\\\\a.example/",
        "http://a.example/\\",
        "http://a.example /",
        " http://a.example/",
        "http://a.ex\tample/",
        "http://a.example/\r\nHost: b",
        "http://a.example/\x00",
        "http://a.example/\u200b",
        "http://a.example/\u202e",
        "http://a.example\u3000/",
    ],
)
def test_B23_what_two_programs_read_differently_is_refused(text):
    with pytest.raises(EgressRefusedError):
        parse_url(text)


@pytest.mark.parametrize(
    "host",
    [
        "huggingf\u0430ce.co",  # a Cyrillic letter among Latin ones
        "xn--huggingfce-kjk.co",  # the same, already encoded
        "\u0430\u0440\u0440\u04cf\u0435.com",  # every letter a Cyrillic twin
        "\uff11\uff12\uff17.0.0.1",  # wide digits
        "127\u30020\u30020\u30021",  # other full stops
        "127\uff0e0.0.1",
        "\u24d7ugging.co",
        "\u210c.co",
        "a\u00adb.co",
        "xn--.co",
        "xn--a.co",
        "xn--zzzzzzzz99999.co",
    ],
)
def test_B21_look_alikes_are_refused(host):
    with pytest.raises(EgressRefusedError):
        parse_url(f"https://{host}/")


def test_a_refusal_keeps_what_a_url_keeps_secret():
    with pytest.raises(EgressRefusedError) as caught:
        parse_url("https://hf_secretsecretsecret@a.example/?sig=hidden")
    assert "secret" not in caught.value.message
    with pytest.raises(EgressRefusedError) as caught:
        parse_url("https://a.example:0/x?sig=hidden")
    assert "hidden" not in caught.value.message
    assert "a.example" in caught.value.message
    with pytest.raises(EgressRefusedError, match="more than 16384"):
        parse_url("https://a.example/" + "a" * 20_000)


@given(st.text(max_size=60))
def test_B23_whatever_is_accepted_reads_the_same_again(text):
    for candidate in (text, f"https://{text}", f"https://a.example/{text}"):
        try:
            target = parse_url(candidate)
        except EgressRefusedError:
            continue
        assert parse_url(target.url) == target
        assert target.url.isascii()
        assert not any(one.isspace() for one in target.url)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/x?y", "https://a.example:8443/x?y"),
        ("x", "https://a.example:8443/one/x"),
        ("../x", "https://a.example:8443/x"),
        ("?z", "https://a.example:8443/one/two?z"),
        ("//b.example/x", "https://b.example/x"),
        ("http://b.example/x#y", "http://b.example/x"),
    ],
)
def test_a_redirect_leads_where_it_says(location, expected):
    assert join_url(parse_url("https://a.example:8443/one/two"), location).url == expected


@pytest.mark.parametrize(
    "location", ["https:x", "file:///etc", "\\\\b.example", "/\\b.example", "//a@b/", "//b:0/", " /x"]
)
def test_B22_a_redirect_to_nowhere_is_refused(location):
    with pytest.raises(EgressRefusedError):
        join_url(parse_url("https://a.example/"), location)


def verdict(own, url, addresses, origin_class=None):
    try:
        return Guard(lambda: own).check(parse_url(url), addresses, origin_class)
    except EgressRefusedError:
        return None


@pytest.mark.parametrize(
    ("url", "address", "origin_class", "allowed"),
    [
        ("https://a.example/", PUBLIC, None, True),
        ("http://a.example/", PUBLIC, None, False),
        ("https://a.example/", "10.0.0.1", None, False),
        ("https://a.example/", "127.0.0.1", None, False),
        ("https://a.example/", "169.254.169.254", None, False),
        ("http://mirror.lan:8080/x", "10.0.0.1", None, True),
        ("http://mirror.lan:8080/x", "127.0.0.1", None, True),
        ("http://mirror.lan:8080/x", PUBLIC, None, True),
        ("http://mirror.lan:8080/x", "169.254.169.254", None, False),
        ("http://mirror.lan:8080/x", "::ffff:10.0.0.1", None, False),
        ("http://mirror.lan:8081/x", "10.0.0.1", None, False),
        ("https://mirror.lan:8080/x", "10.0.0.1", None, False),
        ("http://mirror.lan/x", "10.0.0.1", None, False),
        ("http://other.lan/", "10.0.0.1", Reach.PRIVATE, True),
        ("https://other.lan/", "10.0.0.1", Reach.PRIVATE, True),
        ("http://other.lan/", "127.0.0.1", Reach.PRIVATE, False),
        ("http://other.lan/", "10.0.0.1", Reach.LOOPBACK, False),
        ("http://other.lan/", "127.0.0.1", Reach.LOOPBACK, True),
        ("https://other.lan/", "10.0.0.1", Reach.PUBLIC, False),
        ("http://mirror.lan:8080/", "10.0.0.1", Reach.PUBLIC, False),
        ("http://mirror.lan:8080/", PUBLIC, Reach.PUBLIC, True),
        ("http://other.example/", PUBLIC, Reach.PUBLIC, False),
        ("http://other.example/", PUBLIC, Reach.PRIVATE, False),
        ("https://other.example/", PUBLIC, Reach.PRIVATE, True),
        ("https://other.lan/", "fd00:ec2::254", Reach.PRIVATE, False),
    ],
)
def test_B21_B22_the_rule(url, address, origin_class, allowed):
    own = ("http://mirror.lan:8080/path", "not a url")
    assert verdict(own, url, (address,), origin_class) == (address if allowed else None)


def test_B24_one_forbidden_answer_forbids_all():
    assert verdict((), "https://a.example/", (PUBLIC, "127.0.0.1")) is None
    assert verdict((), "https://a.example/", ("10.0.0.1", PUBLIC)) is None
    assert verdict((), "https://a.example/", (PUBLIC, "1.1.1.1")) == PUBLIC
    assert verdict((), "https://a.example/", ()) is None
    assert verdict((), "https://a.example/", (PUBLIC,) * 65) is None
    assert verdict((), "https://b.lan/", ("10.0.0.1", PUBLIC), Reach.PRIVATE) is None
    assert verdict(("https://nas.lan",), "https://nas.lan/", ("10.0.0.1", PUBLIC)) == "10.0.0.1"
    assert verdict(("https://nas.lan",), "https://nas.lan/", ("10.0.0.1", "fe80::1")) is None


def test_B22_https_never_falls_back_to_http():
    with pytest.raises(EgressRefusedError, match="plain http"):
        check_hop(parse_url("https://a.example/"), parse_url("http://a.example/"))
    check_hop(parse_url("http://a.example/"), parse_url("https://a.example/"))


def test_a_refusal_says_what_the_address_is():
    with pytest.raises(EgressRefusedError, match="this machine itself; only an address that the owner set"):
        Guard(tuple).check(parse_url("https://a.example/"), ("127.0.0.1",))
    with pytest.raises(EgressRefusedError, match="whoever asks"):
        Guard(lambda: ("http://a.example",)).check(parse_url("http://a.example/"), ("169.254.169.254",))
