"""What stands in fenced blocks is what it says it is."""

import json
import subprocess
import tomllib
from collections.abc import Iterator

import pytest

from tests.docs.pages import Block, blocks, name, pages
from thorp.app.config import Sources, evaluate

LANGUAGES = {"console", "ini", "json", "sh", "text", "toml"}


def every_block() -> Iterator[tuple[str, Block]]:
    for path in pages():
        for block in blocks(path.read_text(encoding="utf-8")):
            yield f"{name(path)}:{block.line}", block


def texts(language: str) -> list[object]:
    return [pytest.param(block.text, id=where) for where, block in every_block() if block.language == language]


def test_every_block_says_its_language() -> None:
    assert [where for where, block in every_block() if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("text", texts("json"))
def test_json_is_one_value_or_one_on_each_line(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        assert [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("text", texts("toml"))
def test_toml_is_a_settings_file_without_mistakes(text: str) -> None:
    tomllib.loads(text)
    evaluate(Sources(text))


@pytest.mark.parametrize("text", texts("sh"))
def test_a_script_can_be_read_by_a_shell(text: str) -> None:
    answer = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False, timeout=10)

    assert answer.stderr == ""


def test_blocks_are_found_with_their_line() -> None:
    assert blocks("one\n\n```json vectors\n{}\n```\n\n```\nplain\n```\n") == [
        Block("json vectors", "{}\n", 3),
        Block("", "plain\n", 7),
    ]
