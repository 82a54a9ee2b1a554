"""Takes secrets and folders out of text that is about to be logged or shown. Refuses nothing; what no rule knows stays.

The list is `RULES`. Every pattern is bounded or starts at a fixed word, so the time is linear in the text.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final, TypeAlias

GONE: Final = "[redacted]"
Replacement: TypeAlias = str | Callable[[re.Match[str]], str]

_HEADERS: Final = r"(?:proxy-)?authorization|(?:set-)?cookie|x-api-key"
_NAMES: Final = r"pass(?:word|wd|phrase)|(?:client[-_])?secret|(?:(?:access|refresh|id|owner)[-_])?token|api[-_]?key"


def _basic(found: re.Match[str]) -> str:
    """Only what decodes to `user:password`; "basic settings" is an ordinary pair of words."""
    try:
        is_pair = b":" in base64.b64decode(found["pair"] + "===")
    except (binascii.Error, ValueError):
        is_pair = False
    return f"{found['scheme']} {GONE}" if is_pair else found[0]


RULES: Final[tuple[tuple[str, re.Pattern[str], Replacement], ...]] = (
    (
        "PEM block",
        re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?(?:-----END \1-----|\Z)", re.DOTALL),
        r"[redacted \1]",
    ),
    (
        "user and password in a URL",
        re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{0,30}://)[^/\s?#\"'<>]{1,512}@"),
        rf"\g<1>{GONE}@",
    ),
    (
        "header or field as JSON and Python show it",
        re.compile(rf"(?i)\b({_HEADERS}|{_NAMES})([\"']\s?[:=,]\s?b?)([\"'])(?:(?!\3)[^\\\r\n]|\\.)*"),
        rf"\1\2\3{GONE}",
    ),
    (
        "header as HTTP shows it",
        re.compile(rf"(?i)\b({_HEADERS})(\s?:\s?)[^\s\"'][^\r\n]*"),
        rf"\1\2{GONE}",
    ),
    (
        "value of a telling name",
        re.compile(rf"(?i)\b({_NAMES})(\s?[=:]\s?)(?!\[redacted\])(\"[^\"\r\n]*\"?|'[^'\r\n]*'?|[^\s\"'&,;)\]}}]+)"),
        rf"\1\2{GONE}",
    ),
    (
        "key in a query",
        re.compile(r"(?i)([?&#](?:key|sig|signature)=)[^\s&#\"'<>]+"),
        rf"\1{GONE}",
    ),
    (
        "claim or login code",
        re.compile(r"(?i)(?<![\w-])(code=)[^\s&#\"'<>]{6,}"),
        rf"\1{GONE}",
    ),
    (
        "Thorp key; its id stays, so that it can be revoked",
        re.compile(r"(thorp_(?:o|[a-z][0-9a-z]{8})_)[A-Za-z0-9_-]+"),
        rf"\1{GONE}",
    ),
    (
        "bearer token",
        re.compile(r"(?i)\b(bearer\s)\s{0,8}[A-Za-z0-9._~+/=-]+"),
        rf"\1{GONE}",
    ),
    (
        "basic authentication",
        re.compile(r"(?i)\b(?P<scheme>basic) (?P<pair>[A-Za-z0-9+/_-]{4,4096})={0,2}"),
        _basic,
    ),
    (
        "Hugging Face token",
        re.compile(r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{10,}"),
        f"hf_{GONE}",
    ),
    (
        "key of an OpenAI-shaped service",
        re.compile(r"(?<![A-Za-z0-9_-])sk-[A-Za-z0-9_-]{8,}"),
        f"sk-{GONE}",
    ),
)


def redact(text: str) -> str:
    """The text without its secrets."""
    for _, pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text


# A file stands between backticks, quotes or parentheses; addresses of the API may stand there too, and stay.
_FOLDERS: Final = re.compile(r"(?<=[`('\"])/(?!(?:api|v1|plain|assets)/)(?:[^`()'\"\n]*/)(?=[^`()'\"/\n]+[`),'\"])")


def without_folders(text: str) -> str:
    """The text with the names of files alone: what failed is everybody's business, where it lies is the owner's."""
    return _FOLDERS.sub("", text)
