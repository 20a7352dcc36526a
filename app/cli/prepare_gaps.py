"""`hred prepare --gaps`: a histogram of the silences between messages, and what each `--silence` would make of them."""

from rich.console import Console

from app.cli.prepare_report import print_table
from dialog.corpus.chats.gaps import measure_gaps
from dialog.corpus.settings import Settings
from dialog.corpus.sources import find_sources
from dialog.errors import UsageError

__all__ = ["show_gaps"]

_BAR = 40


def show_gaps(settings: Settings) -> None:
    """Prints both tables.

    Raises:
        UsageError: no file is an export of a chat program.
    """
    sources = find_sources(
        settings.logs, settings.given, settings.options, settings.split_by, settings.max_line_bytes
    )
    gaps = measure_gaps(sources.files)
    if not gaps.num_messages:
        formats = sorted({source.log_format.name for source in sources.files if source.log_format})
        raise UsageError(
            f"--gaps is for exports of chat programs, but the logs are {', '.join(formats) or 'empty'}: "
            "other formats say themselves where a conversation ends"
        )
    console = Console()
    most = max(*gaps.histogram.values(), 1)
    rows = [[name, f"{number:,}", "█" * -(-number * _BAR // most)] for name, number in gaps.histogram.items()]
    print_table(console, "Silence before a message", ["", "messages", ""], rows)
    header = ["--silence", "conversations of two messages and more", "messages in each"]
    made = [
        [f"{minutes:,}", f"{number:,}", f"{total / number:.1f}" if number else "-"]
        for minutes, (number, total) in gaps.conversations.items()
    ]
    print_table(console, "What each silence makes", header, made)
    print(f"{gaps.num_messages:,} messages, {gaps.num_undated:,} without a time; nothing was written.")
