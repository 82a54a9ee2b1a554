"""Which artifact a ref means: asked of the hub, and of the person where it could be several."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from thorp.base.amounts import size
from thorp.cli.caller import Caller
from thorp.cli.frame import Frame
from thorp.cli.output import Output
from thorp.cli.search import cells, counted

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person wants pulled, in their own words."""

    ref: str
    quant: str | None = None
    revision: str | None = None
    source: str | None = None  # the only place to ask

    def given(self, **more: object) -> dict[str, object]:
        """As capabilities take it."""
        words = {"ref": self.ref, "quant": self.quant, "revision": self.revision, "from": self.source} | more
        return {name: value for name, value in words.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Meant:
    """What it means, as far as that is clear."""

    asked: Asked  # now narrower, where somebody chose
    answer: Row  # of `model.resolve`
    choice: Row | None  # None: several, and nobody chose


def meant(frame: Frame, caller: Caller, asked: Asked, *, yes: bool) -> Meant:
    """With `yes` the most downloaded repository and the recommended artifact; without it the person is asked."""
    answer = caller.call("model.resolve", **asked.given())
    if answer["repos"]:
        hit = one_of_repos(frame, asked.ref, answer["repos"], yes=yes)
        if hit is None:
            return Meant(asked, answer, None)
        if not asks(frame) or yes or len(answer["repos"]) == 1:  # who picked it knows
            frame.output.note(f"Taking {hit['repo']} for `{asked.ref}`.")
        asked = replace(asked, ref=hit["repo"])
        answer = caller.call("model.resolve", **asked.given())
    choice = one_of_choices(frame, answer, yes=yes)
    if choice is None:
        return Meant(asked, answer, None)
    return Meant(replace(asked, ref=choice["ref"], quant=None), answer, choice)


def one_of_repos(frame: Frame, ref: str, repos: Sequence[Row], *, yes: bool) -> Row | None:
    if yes or len(repos) == 1:
        return repos[0]
    if not asks(frame):
        return None
    from thorp.cli.pick import Choice, pick

    rows = [Choice(hit["repo"], columns_of(hit), hint=licence(hit)) for hit in repos]
    at = pick(frame.output, f"Which repository for `{ref}`?", rows)
    return None if at is None else repos[at]


def one_of_choices(frame: Frame, answer: Row, *, yes: bool) -> Row | None:
    choices: list[Row] = answer["choices"]
    if len(choices) == 1:
        return choices[0]
    wanted = recommended(choices)
    if yes:
        return choices[wanted] if choices else None
    if not asks(frame):
        return None
    from thorp.cli.pick import Choice, pick

    rows = [Choice(one["quant"], (size(one["size_bytes"]),), one["fit"], hint_of(one)) for one in choices]
    room = "" if answer["free_bytes"] is None else f" {size(answer['free_bytes'])} are free."
    at = pick(frame.output, f"Which one of {answer['repo']}?{room}", rows, at=wanted)
    return None if at is None else choices[at]


def asks(frame: Frame) -> bool:
    """Whether a person is there to choose; a program never is."""
    return frame.output.interactive and not frame.options.json


def recommended(choices: Sequence[Row]) -> int:
    return next((place for place, one in enumerate(choices) if one["recommended"]), 0)


def hint_of(choice: Row) -> str:
    files = f"{choice['files']} files" if choice["files"] > 1 else ""
    return ", ".join(filter(None, ("recommended" if choice["recommended"] else "", files)))


def columns_of(hit: Row) -> tuple[str, ...]:
    return counted(hit["downloads"]), counted(hit["parameters"]), "gated" if hit["gated"] else ""


def licence(repo: Row) -> str:
    return f"licence {repo['license']}" if repo["license"] else "no licence named"


def terms(repo: Row) -> str:
    """On what terms a repository may be had, in a few words."""
    return f"{licence(repo)}, gated: its owners ask for an agreement first" if repo["gated"] else licence(repo)


def draw_plan(output: Output, found: Meant) -> None:
    """What would be pulled; or, where that is not clear, what could be."""
    answer, choice = found.answer, found.choice
    if choice is None and answer["repos"]:
        output.table(("repo", "downloads", "parameters", "licence", "changed", "gated"), map(cells, answer["repos"]))
        output.note("It could be any of these. Name one, or add `--yes` for the first.")
    elif choice is None:
        output.table(("ref", "size", "files", "fit", ""), [of_choice(one) for one in answer["choices"]])
        output.note("It could be any of these. Name one, or add `--yes` for the recommended one.")
    else:
        output.facts(plan(answer, choice))
        output.note("It is here already." if answer["in_library"] else "Nothing was fetched.")


def of_choice(one: Row) -> tuple[object, ...]:
    return one["ref"], size(one["size_bytes"]), one["files"], one["fit"], "recommended" if one["recommended"] else ""


def plan(answer: Row, choice: Row) -> list[tuple[str, str]]:
    free = answer["free_bytes"]
    missing = 0 if free is None or answer["in_library"] else max(0, choice["size_bytes"] - free)
    return [
        ("would pull", choice["ref"]),
        ("id", choice["model_id"]),
        ("revision", answer["revision"] or ""),
        ("terms", terms(answer)),
        ("files", str(choice["files"])),
        ("size", size(choice["size_bytes"])),
        ("memory", choice["fit"] or "unknown whether it fits"),
        ("room", f"{size(free)} free" + (f"; {size(missing)} are missing" if missing else "")),
    ]
