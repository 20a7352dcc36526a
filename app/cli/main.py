"""The command `hred`: finds the subcommand, and turns errors into one sentence and an exit status.

Exit status: 0 done, 1 something could not be done, 2 wrong usage, 130 interrupted.
"""

import errno
import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from dialog import __version__
from dialog.errors import DialogError, UsageError
from dialog.training.launch import rank, speaks

__all__ = ["COMMANDS", "app", "main"]

COMMANDS = (
    "demo",
    "prepare",
    "corpora",
    "stats",
    "embed",
    "models",
    "train",
    "learn",
    "reply",
    "chat",
    "evaluate",
    "compare",
    "score",
    "generate",
    "autoencode",
    "draw",
    "probe",
    "ranking",
    "serve",
    "sessions",
    "users",
    "keys",
    "export",
)
"""Each is of that name in `app/cli/<name>.py`: a function, or a Typer that has commands of its own."""

app = typer.Typer(
    name="hred",
    help="Train a chatbot on your own conversation logs, chat with it, take it apart.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name in COMMANDS:
    _command = getattr(import_module(f"app.cli.{_name}"), _name)
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name)
    else:
        app.command(_name)(_command)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"hred {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line and exits with its status."""
    try:
        app()
    except UsageError as error:
        if speaks(error):
            _fail(str(error), 2)
        sys.exit(2)
    except DialogError as error:
        if speaks(error):
            _fail(str(error), 1)
        sys.exit(1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter must not complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        step = "free some space there" if is_full else "see to that"
        _fail(f"{place}{error.strerror or error}; {step} or give another place, then try again", 1)


def _fail(sentence: str, status: int) -> None:
    place = f" (process {rank()})" if rank() else ""
    print(f"hred{place}: {sentence}", file=sys.stderr)
    sys.exit(status)
