"""Models and trainings as HTML: escaped, on one line.

A button says what it does by `data-model`; `assets/models.js` sends that to the tab's handler.

Whoever is no administrator sees facts, cards and curves; no button, no path, and no log, in which stands what people
wrote.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.learning import Lessons
from app.runs import Facts, curve_of, facts_of, model_card_of
from app.trainings import Training
from app.web.card import card_html
from app.web.curves import curve_svg
from app.web.drawing import escape
from app.web.words import say

__all__ = ["Shown", "draw_lessons", "draw_list", "draw_running", "draw_told"]

_FEW = 100  # replies


@dataclass(frozen=True, slots=True)
class Shown:
    """A run folder as the page shows it.

    Attributes:
        name: of the bot, or of the folder.
        folder: the run folder.
        state: which of the words `models.state_...` stands beside the name.
        marks: further words beside it, such as `int8`.
        actions: what an administrator can do with it, as keys of words.
        reason: why it is no better, a sentence; "" if all is well.
        training: that the page started, if it did.
    """

    name: str
    folder: Path
    state: str
    marks: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    reason: str = ""
    training: Training | None = None


def draw_list(
    loaded: Iterable[Shown], others: Iterable[Shown], older: int, language: str, is_admin: bool
) -> str:
    """Returns the models that answer, then the other trainings.

    Args:
        loaded: models that answer.
        others: the other runs, the latest first.
        older: how many runs are not among them.
        language: one of the page's.
        is_admin: whether for an administrator.
    """
    answering = "".join(_run(each, language, is_admin) for each in loaded)
    rest = "".join(_run(each, language, is_admin) for each in others)
    parts = [
        f"<h3>{_word('loaded', language)}</h3>",
        f'<div class="runs">{answering}</div>',
        f"<h3>{_word('others', language)}</h3>",
        f'<div class="runs">{rest}</div>' if rest else f'<p class="empty">{_word("no_others", language)}</p>',
    ]
    if older:
        parts.append(f'<p class="empty">{escape(say("models.many", language, count=f"{older:,}"))}</p>')
    if not is_admin:
        parts.append(f'<p class="empty">{_word("not_admin", language)}</p>')
    return "".join(parts)


def draw_running(shown: Shown | None, language: str, is_admin: bool) -> str:
    """Returns the training that runs; "" if none does."""
    if shown is None:
        return ""
    return (
        f'<div data-runs="{escape(shown.name)}"><h3>{_word("running_now", language)}</h3>'
        f'<div class="runs">{_run(shown, language, is_admin)}</div></div>'
    )


def draw_told(sentence: str) -> str:
    """Returns what was done, for a screen reader, too."""
    return f'<p role="status">{escape(sentence)}</p>'


def draw_lessons(lessons: Lessons, machine: str, folder: Path, language: str) -> str:
    """Returns how much there is to learn, and where a training would run."""
    if lessons.replies:
        reasons = ", ".join(
            say(f"models.why_{why.replace(' ', '_')}", language, count=f"{count:,}")
            for why, count in lessons.whys.items()
        )
        values = {"replies": f"{lessons.replies:,}", "chats": f"{lessons.chats:,}", "whys": reasons}
        said = say("models.lessons", language, **values)
        if lessons.replies < _FEW:
            said += " " + say("models.few", language)
    else:
        said = say("models.nothing", language)
    place = say("models.machine", language, machine=machine, folder=folder)
    return f'<p id="models-count">{escape(said)}</p><p class="empty">{escape(place)}</p>'


def _run(shown: Shown, language: str, is_admin: bool) -> str:
    facts, curve = facts_of(shown.folder), curve_of(shown.folder)
    name = escape(shown.name)
    marks = [facts.kind or "", *shown.marks]
    badges = "".join(f'<span class="mark">{escape(mark)}</span>' for mark in marks if mark)
    state = f'<span class="mark state {shown.state}">{_word(f"state_{shown.state}", language)}</span>'
    parts = [
        f"<header><h4>{name}</h4>{badges}{state}{_buttons(shown, language) if is_admin else ''}</header>"
    ]
    if shown.reason and is_admin:
        parts.append(f'<p class="failed">{escape(shown.reason)}</p>')
    parts.append(_facts(facts, shown, curve.best, language, is_admin))
    parts.append(curve_svg(curve, language))
    card = model_card_of(shown.folder)
    if card:
        parts.append(
            f'<details class="card-text"><summary>{_word("card", language)}</summary>{card_html(card)}</details>'
        )
    if shown.training is not None and shown.training.log and is_admin:
        is_open = " open" if shown.state == "running" else ""
        log = "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in shown.training.log)
        parts.append(
            f"<details{is_open}><summary>{_word('log', language)}</summary>"
            f'<pre class="log-lines">{escape(log)}</pre></details>'
        )
    return f'<article class="run" data-run="{name}" aria-label="{name}">{"".join(parts)}</article>'


def _facts(facts: Facts, shown: Shown, best: tuple[int, float] | None, language: str, is_admin: bool) -> str:
    unknown = say("models.unknown", language)
    rows: Mapping[str, str | None] = {
        "parameters": _count(facts.parameters),
        "target_tokens": _count(facts.target_tokens) or (unknown if facts.parameters else None),
        "size": say("models.megabytes", language, size=f"{facts.num_bytes / 1e6:,.1f}")
        if facts.num_bytes
        else None,
        "weights": facts.model_hash[:12] if facts.model_hash else None,
        "started_from": facts.started_from,
        "best": say("models.best_at", language, nats=f"{best[1]:.3f}", update=f"{best[0]:,}")
        if best
        else None,
        "folder": str(shown.folder) if is_admin else None,
    }
    return "".join(
        [
            "<dl>",
            *(
                f"<div><dt>{_word(name, language)}</dt><dd>{escape(value)}</dd></div>"
                for name, value in rows.items()
                if value
            ),
            "</dl>",
        ]
    )


def _count(number: int | None) -> str | None:
    return f"{number:,}" if number is not None else None


def _buttons(shown: Shown, language: str) -> str:
    name = escape(shown.name)
    made = "".join(
        f'<button type="button" class="plain" data-model="{action}" data-name="{name}" '
        f'aria-label="{_word(action, language)}: {name}">{_word(action, language)}</button>'
        for action in shown.actions
    )
    return f'<span class="actions">{made}</span>'


def _word(key: str, language: str) -> str:
    return escape(say(f"models.{key}", language))
