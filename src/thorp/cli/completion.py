"""`thorp completion`: the script that lets a shell complete our commands."""

import click
from click.shell_completion import get_completion_class

from thorp.cli.frame import Frame, pass_frame


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@pass_frame
def completion(frame: Frame, context: click.Context, *, shell: str) -> None:
    """For bash: `thorp completion bash > ~/.local/share/bash-completion/completions/thorp`."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.", context)
    script = found(context.find_root().command, {}, "thorp", "_THORP_COMPLETE").source()
    frame.output.raw(script)
