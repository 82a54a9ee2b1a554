"""The dashboard as it is served: small, from the node alone, and with a way on for who has no JavaScript."""

import gzip
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "src/thorp/web/static"
MOST_SCRIPT = 250 * 1000


@pytest.fixture
def page() -> str:
    index = STATIC / "index.html"
    assert index.is_file(), "The dashboard is not built; run script/setup."
    return index.read_text()


def test_the_page_holds_no_script_and_no_style_of_its_own(page: str) -> None:
    assert re.findall(r"<script\b[^>]*>(?!</script>)", page) == []
    assert re.findall(r"<style\b|\sstyle=|\son[a-z]+=|javascript:", page) == []


def test_nothing_is_asked_from_anybody_else(page: str) -> None:
    styles = "".join(file.read_text() for file in STATIC.glob("assets/*.css"))

    assert re.findall(r"(?:src|href|content)=\"(?!/|width|light|no-referrer)[^\"]*", page) == []
    assert re.findall(r"@import|url\(|//[a-z]", styles) == []


def test_without_javascript_there_is_a_way_on(page: str) -> None:
    (aside,) = re.findall(r"<noscript>(.*?)</noscript>", page, flags=re.DOTALL)

    assert 'href="/plain/claim"' in aside
    assert 'href="/plain/status"' in aside


def test_the_first_script_is_small(page: str) -> None:
    (name,) = re.findall(r'<script type="module"[^>]* src="/([^"]+)"', page)

    assert len(gzip.compress((STATIC / name).read_bytes(), mtime=0)) <= MOST_SCRIPT


def test_the_mark_works_as_a_picture_under_a_strict_policy(page: str) -> None:
    mark = (STATIC / "favicon.svg").read_text()

    assert 'href="/favicon.svg"' in page
    assert re.findall(r"<style|style=|<script|href=", mark) == []
