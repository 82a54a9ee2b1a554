"""`thorp init`: makes the home of a node, or tidies up after one that died."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output


@click.command()
@click.option("--path", type=click.Path(path_type=Path), help="Make it there instead of the usual place.")
@click.option(
    "--cleanup", is_flag=True, help="Remove what a dead node left in run/ and unfinished files; nothing else."
)
@click.option("--dry-run", is_flag=True, help="With --cleanup: only say what would go.")
@click.option("--yes", is_flag=True, help="With --cleanup: do not ask.")
@pass_frame
def init(frame: Frame, *, path: Path | None, cleanup: bool, dry_run: bool, yes: bool) -> None:
    """What stands already stays as it is, so it may be run again at any time."""
    from thorp.app.home import leftovers, make_home, remove
    from thorp.app.paths import paths_of

    environment = frame.environment if path is None else replace(frame.environment, home=path.absolute())
    paths = paths_of(environment)
    if not cleanup:
        frame.output.show(make_home(paths), draw_home)
        return
    found = leftovers(paths)
    if found and not dry_run:
        frame.confirm(f"Remove {len(found)} leftover files of `{paths.root}`?", yes=yes)
        remove(found)
    data = {"removed": [] if dry_run else [str(one) for one in found], "found": [str(one) for one in found]}
    frame.output.show(data, draw_cleanup)


def draw_home(output: Output, home: dict[str, Any]) -> None:
    output.done(f"{'Made' if home['made'] else 'Stands already'}: {home['home']}")
    if home["new_identity"]:
        from thorp.app.home import NEW_IDENTITY

        output.warn(NEW_IDENTITY)
    output.note(f"Node id {home['node_id']}. Start it with `thorp up`.")


def draw_cleanup(output: Output, data: dict[str, Any]) -> None:
    for one in data["found"]:
        output.line(f"{'removed' if data['removed'] else 'would go'}  {one}")
    if not data["found"]:
        output.done("Nothing to clean up.")
