"""Fixed sentences of the node that the dashboard shows: each has its German twin."""

import json
import pkgutil
from importlib import import_module
from pathlib import Path

from thorp.node.types import REACH
from thorp.wire import capabilities
from thorp.wire.capability import Capability

ROOT = Path(__file__).parents[2]
GERMAN: dict[str, str] = json.loads((ROOT / "webui/src/words/phrases.de.json").read_text())


def declared() -> set[str]:
    modules = [
        import_module(f"{capabilities.__name__}.{one.name}") for one in pkgutil.iter_modules(capabilities.__path__)
    ]
    return {one.summary for module in modules for one in vars(module).values() if isinstance(one, Capability)}


def test_every_capability_and_every_reach_is_said_in_german() -> None:
    unsaid = (declared() | set(REACH.values())) - set(GERMAN)

    assert sorted(unsaid) == [], "add it with its German to webui/src/words/phrases.de.json"


def test_no_phrase_outlives_its_sentence() -> None:
    sources = [path.read_text() for path in (ROOT / "src/thorp").rglob("*.py")]
    kept = declared() | {phrase for phrase in GERMAN if any(phrase in source for source in sources)}

    assert sorted(set(GERMAN) - kept) == []


def test_phrases_stand_in_order_and_say_something_else() -> None:
    assert list(GERMAN) == sorted(GERMAN)
    assert [english for english, german in GERMAN.items() if german.strip() in ("", english)] == []
