"""The command line: finds the command, runs it, and says in one way what went wrong. One of the four borders."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Final, NoReturn, TextIO

import click

from thorp import __version__
from thorp.app.environment import Environment
from thorp.base.errors import InternalError, ThorpError, UsageError
from thorp.cli.answered import choices_of, exit_code_of, told_of
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.group import TableGroup, show_help
from thorp.cli.here import Here
from thorp.cli.options import help_option, shared_options
from thorp.cli.usage import sentence_of

PROGRAM: Final = "thorp"
INTERRUPTED: Final = 130
DETAILS: Final = 2  # of a message, after its first line


class CommandLineError(UsageError):
    """The command line itself is wrong."""

    code = "cli.usage"


class UnexpectedError(InternalError):
    """A fault of ours in a command."""

    code = "cli.unexpected"


def _version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        context.ensure_object(Frame).output.line(f"{PROGRAM} {__version__}")
        context.exit()


@click.command(
    PROGRAM,
    cls=TableGroup,
    invoke_without_command=True,
    no_args_is_help=False,
    subcommand_metavar="COMMAND …",
    context_settings={"max_content_width": 100},
    params=[
        *shared_options(lambda context: context.ensure_object(Frame).options, hidden=False),
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
        ),
        help_option(show_help),
    ],
    help="One private AI service out of the computers of a house, and of the houses next door.",
)
@pass_frame
@click.pass_context
def cli(context: click.Context, frame: Frame) -> None:
    if context.invoked_subcommand is not None:
        return
    if sys.stdout.isatty() and not frame.options.json:
        from thorp.cli.welcome import welcome

        welcome(frame)
    else:
        frame.output.line(context.get_help())


def main() -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run(sys.argv[1:], Environment.read())
    except KeyboardInterrupt:
        code = INTERRUPTED
    for stream in (sys.stdout, sys.stderr):
        forget_unwritten(stream)
    sys.exit(code)


def forget_unwritten(stream: TextIO) -> None:
    """What could not be written was told; Python would try again at the end, fail, and say so in its own words."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def run(arguments: Sequence[str], environment: Environment, here: Here | None = None) -> int:
    """Run one command line. Answers with its exit code; whatever went wrong has been told."""
    frame = Frame(environment, here)
    try:
        answer = cli.main(list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=frame)
    except click.Abort:
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        frame.output.complain_plainly(error.format_message())
        return error.exit_code
    except click.ClickException as error:
        return _tell(frame, _usage(error), arguments)
    except ThorpError as error:
        return _tell(frame, error, arguments)
    except Exception as error:  # noqa: BLE001  (the border of the command line)
        return _tell(frame, _unexpected(frame, error), arguments)
    return answer if isinstance(answer, int) else 0


def _tell(frame: Frame, error: ThorpError, arguments: Sequence[str]) -> int:
    # A line that is wrong before its options were read may still have asked for JSON.
    if frame.options.json or "--json" in arguments:
        frame.output.complain_json(told_of(error))
    else:
        frame.output.complain(error.message)
        for line in choices_of(error):
            frame.output.complain_plainly(line)
    return exit_code_of(error)


def _usage(error: click.ClickException) -> CommandLineError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context else PROGRAM
    wrong = sentence_of(error) if isinstance(error, click.UsageError) else error.format_message()
    return CommandLineError(f"{wrong} See `{where} --help`.", command=where)


def _unexpected(frame: Frame, error: Exception) -> UnexpectedError:
    from thorp.base.redact import redact

    kept = _kept(frame, error)
    if frame.options.verbose:
        import traceback

        frame.output.complain_plainly(redact("".join(traceback.format_exception(error))).rstrip())
    where = f"`{kept}` has the details." if kept else "Run it again with `-v` to see the details."
    return UnexpectedError(
        f"This should not have happened: {type(error).__name__}: {redact(str(error))[:500]}. {where}",
        log=str(kept or ""),
    )


def _kept(frame: Frame, error: Exception) -> Path | None:
    from thorp.app.logs import keep_crash

    with suppress(ThorpError):
        return keep_crash(frame.crash_folder(), error)
    return None
