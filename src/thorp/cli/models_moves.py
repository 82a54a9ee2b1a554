"""`thorp models import` and `export`: models that are on this machine already, and models on a stick."""

from pathlib import Path
from typing import Any

import click

from thorp.base.amounts import size
from thorp.base.errors import ConflictError
from thorp.cli.completing import refs_like
from thorp.cli.following import worked, working
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output

Row = dict[str, Any]


class TargetTakenError(ConflictError):
    """Where something was to be written, something lies already."""

    code = "cli.target_taken"


@click.command
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", metavar="ORG/REPO", help="File it under this name.")
@click.option("--license", "licence", metavar="L", help="For example apache-2.0.")
@click.option("--copy", is_flag=True, help="Copy where files can be neither cloned nor linked.")
@pass_frame
def import_models(frame: Frame, *, path: Path, name: str | None, licence: str | None, copy: bool) -> int:
    """PATH is a file, a folder, a Hugging Face cache, an Ollama store, or a bundle of `thorp models export`."""
    wanted = {"path": str(path.expanduser().absolute()), "name": name, "license": licence, "copy": copy or None}
    given = {word: value for word, value in wanted.items() if value is not None}
    with frame.models() as caller:
        answer = worked(frame, caller.stream("library.import", **given), "importing")
    frame.output.show(answer, draw_imported)
    return 0 if answer["imported"] else 1


@click.command
@click.argument("ref", shell_complete=refs_like)
@click.argument("target", metavar="FILE.tar", type=click.Path(path_type=Path))
@pass_frame
def export(frame: Frame, *, ref: str, target: Path) -> None:
    """Manifest, hashes and files in one bundle, which `thorp models import` takes on another machine."""
    target = target.expanduser().absolute()
    if target.exists():
        raise TargetTakenError(f"`{target}` is there already. Name another file, or remove that one.", path=str(target))
    with working(frame, "writing") as told:
        answer = frame.here.export(frame.paths(), frame.environment, ref, target, told)
    frame.output.show(answer, draw_exported)


def draw_exported(output: Output, answer: Row) -> None:
    output.done(f"Wrote {answer['model_id']}, {size(answer['size_bytes'])}, to {answer['file']}")


def draw_imported(output: Output, answer: Row) -> None:
    for one in answer["skipped"]:
        output.note(f"Left out: {one['path']}: {one['reason']}")
    if not answer["imported"]:
        output.note("Nothing was taken in.")
        return
    titles = ("id", "ref", "size", "how")
    output.table(
        titles, [(one["model_id"], one["ref"], size(one["size_bytes"]), one["how"]) for one in answer["imported"]]
    )
    if kept := [one["model_id"] for one in answer["imported"] if one.get("kept_back")]:
        output.note(
            f"Kept back from your household: {', '.join(kept)}. A cache does not tell what is gated; `thorp share REF` "
            "shares what everybody may have."
        )
