"""Colours: as the look says, readable in both themes, and named in one file only."""

import re
from pathlib import Path

import pytest

LOOK = Path(__file__).parents[2] / "webui/src/look"
TOKENS = (LOOK / "tokens.css").read_text()
LIGHT, DARK = TOKENS.split("@media (prefers-color-scheme: dark)")
COLOUR = re.compile(r"--([a-z0-9-]+): (#[0-9a-f]{6});")
THEMES = {"light": dict(COLOUR.findall(LIGHT)), "dark": dict(COLOUR.findall(LIGHT)) | dict(COLOUR.findall(DARK))}

GROUNDS = ("paper", "surface", "raised")
TEXTS = ("ink", "muted", "ember", "moss", "amber", "brick", "lake")
SOURCES = ("hub", "here", "outside", *"123456")


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_measured_as_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_text_can_be_read_on_every_ground(theme: str, text: str, ground: str) -> None:
    assert contrast(THEMES[theme][text], THEMES[theme][ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("button", ["ember", "ember-deep"])
def test_the_primary_button_can_be_read(theme: str, button: str) -> None:
    assert contrast(THEMES[theme]["on-ember"], THEMES[theme][button]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_the_outline_of_a_control_can_be_seen(theme: str, ground: str) -> None:
    assert contrast(THEMES[theme]["edge"], THEMES[theme][ground]) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("source", SOURCES)
def test_the_colour_of_a_source_can_be_seen(theme: str, source: str) -> None:
    assert contrast(THEMES[theme][f"source-{source}"], THEMES[theme]["surface"]) >= 3


@pytest.mark.parametrize("theme", THEMES)
def test_every_colour_of_the_other_theme_is_there(theme: str) -> None:
    assert {*GROUNDS, *TEXTS, "line", "edge"} <= THEMES[theme].keys()
    assert set(dict(COLOUR.findall(DARK))) == set(dict(COLOUR.findall(LIGHT)))


@pytest.mark.parametrize("file", sorted(path.name for path in LOOK.glob("*.css")))
def test_only_the_tokens_name_a_raw_colour(file: str) -> None:
    css = re.sub(r"/\*.*?\*/", "", (LOOK / file).read_text(), flags=re.DOTALL)

    if file != "tokens.css":
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl|oklch)a?\(", css) == []
    assert set(re.findall(r"var\(--([a-z0-9-]+)", css)) <= set(re.findall(r"--([a-z0-9-]+):", TOKENS))
