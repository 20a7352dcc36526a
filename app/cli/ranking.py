"""`hred ranking`: which model people prefer, from the votes of battles in the store."""

import json
import math
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from dialog.evaluation.ranking.table import Ranking
    from dialog.evaluation.ranking.votes import Player

__all__ = ["ranking", "sentences"]

_WIDTH = 140


def ranking(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Only votes from this time on: 2026-11-01, or 2026-11-01T12:00+09:00; UTC unless a zone is named.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws for the intervals.")] = 0,
    bootstrap: Annotated[int, typer.Option(min=100, help="Draws of votes for the intervals.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as one JSON object.")] = False,
) -> None:
    """Rank the models by the votes of battles: Bradley-Terry with ties, intervals, who beat whom.

    Reads the store of `hred serve` (HRED_DATABASE_URL, or the data folder's). A model is its name and the hash of
    its weights: one trained again under its name is another one.
    """
    from app.store import Store
    from dialog.evaluation.ranking.table import rank

    start = None if since is None else _time(since)
    with Store.open() as store:
        tally = store.tally(start)
    found = rank(tally, seed, bootstrap)
    if as_json:
        print(
            json.dumps(
                {**found.to_json(), "since": start and start.isoformat()}, indent=2, ensure_ascii=False
            )
        )
    else:
        _print(found)


def _time(text: str) -> datetime:
    from dialog.errors import UsageError

    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--since is {text!r}, but must be a day or a time such as 2026-11-01T12:00"
        ) from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _print(found: "Ranking") -> None:
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH  # a pipe or a file has no edge
    console = Console(markup=False, highlight=False, emoji=False, width=width)
    if not found.tally.num_votes:
        console.print("There are no votes yet. Votes are given in the Battle tab of the page: hred serve")
        return
    if found.entries is not None:
        console.print(_strengths(found))
    for sentence in sentences(found):
        console.print(sentence)
    console.print()
    console.print(_matrix(found))
    console.print("Row against column: won · lost · as good · both bad.")


def sentences(found: "Ranking") -> list[str]:
    """Returns what must be read with the table, a sentence each."""
    said = []
    votes = f"{found.tally.num_votes:,} vote{'' if found.tally.num_votes == 1 else 's'}"
    if found.entries is None:
        groups = "; ".join(_names(group) for group in found.groups)
        said.append(
            f"No ranking of {votes}: no vote leads from one of these groups to another, so they have no common scale: "
            f"{groups}. Let models of different groups meet."
        )
    else:
        state = "Preliminary: do not decide by it yet" if found.is_preliminary else "The intervals are narrow"
        said.append(f"{votes}. {state}.")
    if found.never_lost:
        said.append(f"Never lost, so how much stronger is not known: {_names(found.never_lost)}.")
    if found.never_won:
        said.append(f"Never won, so how much weaker is not known: {_names(found.never_won)}.")
    sides = found.sides
    if sides.is_uneven:
        said.append(
            f"Voters prefer a side: left won {sides.left} and right {sides.right} of the decided votes, which "
            f"chance gives with a probability of {sides.p_value:.2g}. Sides are drawn, so no model gains by it."
        )
    return said


def _names(players: "tuple[Player, ...]") -> str:
    return ", ".join(map(str, players))


def _strengths(found: "Ranking") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("place")
    table.add_column("model", overflow="fold")
    table.add_column("weights")
    for head in ("odds", "95 %", "votes", "won", "lost", "even", "bad"):
        table.add_column(head, justify="right", no_wrap=True)
    for entry in found.entries or ():
        places = (entry.best_place, entry.worst_place)
        table.add_row(
            str(places[0]) if places[0] == places[1] else f"{places[0]}-{places[1]}",
            Text(entry.player.name),
            entry.player.model_hash[:12],
            f"{math.exp(entry.strength):.2f}",
            f"{math.exp(entry.low):.2f}-{math.exp(entry.high):.2f}" + ("?" if entry.is_wide else ""),
            *map(
                str,
                (entry.num_votes, entry.num_wins, entry.num_losses, entry.num_ties, entry.num_both_bad),
            ),
        )
    table.caption = "odds against a model of average strength; ?: the interval is wide"
    table.caption_justify = "left"
    return table


def _matrix(found: "Ranking") -> "Table":
    from rich.table import Table
    from rich.text import Text

    tally = found.tally
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for place in range(len(tally.players)):
        table.add_column(f"{place + 1}", justify="right")
    for row, player in enumerate(tally.players):
        cells = [
            "-"
            if row == column
            else f"{tally.wins[row, column]}·{tally.wins[column, row]}·{tally.ties[row, column]}"
            f"·{tally.both_bad[row, column]}"
            for column in range(len(tally.players))
        ]
        table.add_row(Text(f"{row + 1} {player}"), *cells)
    return table
