"""The ranking as the page shows it: HTML of our own, every name in it escaped."""

import math
from collections.abc import Iterable

from app.web.drawing import escape
from app.web.words import say
from dialog.evaluation.ranking.table import Entry, Ranking
from dialog.evaluation.ranking.votes import Player

__all__ = ["ranking_html"]

_BAR = 120  # pixels
_REACH = math.log(8)  # nats to each side of the average


def ranking_html(found: Ranking, language: str) -> str:
    """Returns table, sentences and win matrix.

    Args:
        found: the ranking.
        language: one of the page's.
    """
    if not found.tally.num_votes:
        return _paragraph(say("battle.no_votes", language))
    return "".join(
        [
            *map(_paragraph, _sentences(found, language)),
            "" if found.entries is None else _strengths(found.entries, language),
            _matrix(found, language),
        ]
    )


def _sentences(found: Ranking, language: str) -> list[str]:
    said = [say("battle.votes", language, count=f"{found.tally.num_votes:,}")]
    if found.entries is None:
        groups = "; ".join(_names(group) for group in found.groups)
        said.append(say("battle.refused", language, groups=groups))
    else:
        said.append(say("battle.preliminary" if found.is_preliminary else "battle.narrow", language))
    if found.never_lost:
        said.append(say("battle.never_lost", language, models=_names(found.never_lost)))
    if found.never_won:
        said.append(say("battle.never_won", language, models=_names(found.never_won)))
    sides = found.sides
    if sides.is_uneven:
        chance = f"{sides.p_value:.2g}"
        said.append(say("battle.uneven", language, left=sides.left, right=sides.right, p=chance))
    return said


def _strengths(entries: Iterable[Entry], language: str) -> str:
    heads = ("place", "model", "weights", "odds", "interval", "num_votes", "won", "lost", "even", "bad")
    rows = []
    for entry in entries:
        best, worst = entry.best_place, entry.worst_place
        odds = [f"{math.exp(value):.2f}" for value in (entry.strength, entry.low, entry.high)]
        cells = (
            str(best) if best == worst else f"{best}-{worst}",
            entry.player.name,
            entry.player.model_hash[:12],
            odds[0],
            f"{odds[1]} - {odds[2]}",
            *map(
                str, (entry.num_votes, entry.num_wins, entry.num_losses, entry.num_ties, entry.num_both_bad)
            ),
        )
        shown = [f"<td>{escape(cell)}</td>" for cell in cells]
        shown[4] = f"<td>{escape(cells[4])}{_bar(entry)}</td>"
        rows.append(f"<tr>{''.join(shown)}</tr>")
    head = "".join(f'<th scope="col">{escape(say(f"battle.{name}", language))}</th>' for name in heads)
    caption = escape(say("battle.caption", language))
    return _scrolled(
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    )


def _bar(entry: Entry) -> str:
    """Returns the interval as a drawn line around the average, odds 1, in the middle."""
    low, middle, high = (
        round(_BAR * (0.5 + max(-0.5, min(0.5, value / (2 * _REACH)))), 1)
        for value in (entry.low, entry.strength, entry.high)
    )
    return (
        f'<svg width="{_BAR}" height="12" aria-hidden="true" style="display:block">'
        f'<line x1="{_BAR / 2}" y1="0" x2="{_BAR / 2}" y2="12" stroke="currentColor" opacity=".3"/>'
        f'<line x1="{low}" y1="6" x2="{high}" y2="6" stroke="currentColor" stroke-width="2"/>'
        f'<circle cx="{middle}" cy="6" r="4" fill="currentColor"/></svg>'
    )


def _matrix(found: Ranking, language: str) -> str:
    tally = found.tally
    head = "".join(f'<th scope="col">{escape(player.name)}</th>' for player in tally.players)
    rows = []
    for row, player in enumerate(tally.players):
        cells = [
            "-"
            if row == column
            else " · ".join(
                str(counts[at])
                for counts, at in (
                    (tally.wins, (row, column)),
                    (tally.wins, (column, row)),
                    (tally.ties, (row, column)),
                    (tally.both_bad, (row, column)),
                )
            )
            for column in range(len(tally.players))
        ]
        inner = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row">{escape(str(player))}</th>{inner}</tr>')
    caption = escape(say("battle.matrix", language))
    return _scrolled(
        f"<caption>{caption}</caption><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    )


def _names(players: Iterable[Player]) -> str:
    return ", ".join(map(str, players))


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _scrolled(table: str) -> str:
    return f'<div style="overflow-x:auto"><table>{table}</table></div>'
