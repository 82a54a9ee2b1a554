"""`thorp models`: what is in the library, and names of your own for it."""

from collections import Counter
from typing import Any

import click

from thorp.base.amounts import size
from thorp.cli.completing import refs_like
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output
from thorp.cli.search import counted
from thorp.cli.when import when

Row = dict[str, Any]


@click.command
@pass_frame
def list_models(frame: Frame) -> None:
    """Without a node they are read from the disk."""
    frame.output.show(library(frame), draw_all)


@click.command
@click.argument("ref", shell_complete=refs_like)
@pass_frame
def show(frame: Frame, *, ref: str) -> None:
    """REF is an id, an alias, `org/repo` or `org/repo:quant`."""
    frame.output.show(called(frame, "library.show", ref=ref), lambda output, model: output.facts(facts(model)))


@click.command
@click.argument("name")
@click.argument("ref", shell_complete=refs_like)
@pass_frame
def alias(frame: Frame, *, name: str, ref: str) -> None:
    """NAME counts wherever a ref does, as `fast` in `thorp models show fast`."""
    frame.output.show(
        called(frame, "library.alias", name=name, ref=ref),
        lambda output, told: output.done(f"`{told['name']}` is {told['model_id']} now."),
    )


@click.command
@click.argument("name", shell_complete=refs_like)
@pass_frame
def unalias(frame: Frame, *, name: str) -> None:
    """The model stays."""
    frame.output.show(
        called(frame, "library.unalias", name=name),
        lambda output, told: output.done(f"`{told['name']}` is no name of a model any more."),
    )


@click.command
@pass_frame
def rescan(frame: Frame) -> None:
    """From the receipts, which lie beside the files. Nothing is fetched, and no file is changed."""
    frame.output.show(called(frame, "library.rescan"), draw_rescan)


def library(frame: Frame) -> Row:
    if frame.is_alone():
        return frame.here.library(frame.paths(), frame.environment)
    return called(frame, "library.list")


def called(frame: Frame, name: str, /, **given: object) -> Row:
    with frame.models() as caller:
        return caller.call(name, **given)


def draw_all(output: Output, answer: Row) -> None:
    models: list[Row] = answer["models"]
    for problem in answer["unreadable"]:
        output.warn(problem)
    if not models:
        output.note("There are no models here yet. `thorp pull mistral` finds one.")
        return
    many = Counter(model["model_id"] for model in models)
    titles = ("id", "size", "licence", "source", "pulled", "state")
    output.table(titles, [cells(model, alone=many[model["model_id"]] == 1) for model in models])
    for model in models:
        if model["reason"]:
            output.warn(f"{model['model_id']} of {model['repo']} is {model['state']}: {model['reason']}")
    total = size(sum(model["size_bytes"] for model in models))
    output.note(f"{len(models)} {'model' if len(models) == 1 else 'models'}, {total}, in {answer['folder']}")


def cells(model: Row, *, alone: bool) -> tuple[str, ...]:
    licence = (model["license"] or "unknown") + (" (gated)" if model["gated"] else "")
    day = when(model["downloaded_at"]).partition(" ")[0]
    return title(model, alone=alone), size(model["size_bytes"]), licence, model["source"], day, model["state"]


def title(model: Row, *, alone: bool) -> str:
    """The id and the owner's names for it; where two models share an id, also which repository it is of."""
    names = ", ".join(model["aliases"])
    return model["model_id"] + ("" if alone else f" of {model['repo']}") + (f" ({names})" if names else "")


def facts(model: Row) -> list[tuple[str, str]]:
    gated = ", gated" if model["gated"] else ""
    source = model["source"]
    return [
        ("id", model["model_id"]),
        ("aliases", ", ".join(model["aliases"])),
        ("state", ": ".join(filter(None, (model["state"], model["reason"])))),
        ("repo", model["repo"]),
        ("revision", model["revision"]),
        ("licence", (model["license"] or "unknown") + gated),
        ("shared with", {"household": "the household"}.get(model["shared"]) or model["shared"]),
        ("format", model["format"]),
        ("quant", model["quant"] or ""),
        ("architecture", model["architecture"] or ""),
        ("parameters", counted(model["parameters"])),
        ("context", f"{model['context_length']} tokens" if model["context_length"] else ""),
        ("takes", ", ".join(model["modalities"])),
        ("size", size(model["size_bytes"])),
        ("memory", model["fit"] or "unknown whether it fits"),
        ("source", " ".join(filter(None, (source["kind"], source["detail"])))),
        ("claimed by", model["claimed_by"] or ""),
        ("pulled", when(model["downloaded_at"])),
        ("verified", when(model["verified_at"])),
        *(("files", file["at"] or f"{file['path']} (missing)") for file in model["files"]),
        *(("torrent", file["torrent"]) for file in model["files"] if file.get("torrent")),
        *(("magnet", file["magnet"]) for file in model["files"] if file.get("magnet")),
        ("receipt", model["receipt"]),
    ]


def draw_rescan(output: Output, answer: Row) -> None:
    for problem in answer["unreadable"]:
        output.warn(problem)
    output.done(f"The library has {answer['models']} {'model' if answer['models'] == 1 else 'models'}.")
