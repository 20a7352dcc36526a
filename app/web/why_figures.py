"""The three figures of a reply as tables: what turns count, each step, and where it looked."""

from app.web.drawing import escape
from app.web.words import say
from dialog.evaluation.why.records import MOST_TURNS, Explanation, Step, Token, TurnCount

__all__ = ["draw_attention", "draw_steps", "draw_turns"]

_MOST_PLACES = 120
"""Columns of the table of weights."""
_LONGEST_TURN = 400  # characters


def draw_turns(found: Explanation, model: str, language: str) -> str:
    """Returns a bar for each turn of the context, in nats."""
    about = [say("why.turns_about", language)]
    if found.turns_seen is not None and found.turns_seen < len(found.turns):
        key = "why.turns_seen" if found.turns_seen == 1 else "why.turns_seen_few"
        about.append(say(key, language, model=model, count=found.turns_seen))
    left = sum(count.falls is None for count in found.turns)
    if left:
        about.append(say("why.turns_left", language, most=MOST_TURNS, count=left))
    falls = [count.fall or 0.0 for count in found.turns]
    lowest, highest = min(0.0, *falls), max(0.0, *falls)
    rows = [
        _turn(count, lowest, highest, found, language) for count in found.turns if count.falls is not None
    ]
    head = (
        f'<thead><tr><th scope="col">{escape(say("why.turn", language))}</th>'
        f'<th scope="col">{escape(say("why.fall", language))}</th></tr></thead>'
    )
    return _section(
        "turns", about, f'<table class="turns">{head}<tbody>{"".join(rows)}</tbody></table>', language
    )


def _turn(count: TurnCount, lowest: float, highest: float, found: Explanation, language: str) -> str:
    assert count.falls is not None and count.fall is not None
    is_user = count.turn.speaker == "user"
    who = escape(say("chat.you" if is_user else "chat.bot", language))
    text = count.turn.text
    text = text if len(text) <= _LONGEST_TURN else f"{text[: _LONGEST_TURN - 1]}…"
    said = f'<th scope="row"><span class="by">{who}</span> {escape(text)}</th>'
    if not count.is_seen:
        return f'<tr class="unseen">{said}<td>{escape(say("why.unseen", language))}</td></tr>'
    width = max(highest - lowest, 1e-9)
    start, size = (min(0.0, count.fall) - lowest) / width, abs(count.fall) / width
    sign = "down" if count.fall < 0 else "up"
    place = f"left:{start:.1%};width:{size:.1%}"
    bar = f'<span class="bar" aria-hidden="true"><i class="{sign}" style="{place}"></i></span>'
    number = f'<span class="nats">{_signed(count.fall)}</span>'
    words = escape(say("why.by_word", language))
    return f"<tr>{said}<td>{bar}{number}<details><summary>{words}</summary>{_by_word(count, found)}</details></td></tr>"


def _by_word(count: TurnCount, found: Explanation) -> str:
    """Returns the reply's tokens, each tinted by what it owes to the turn."""
    assert count.falls is not None
    largest = max(1.0, *map(abs, count.falls))  # below a nat the tint stays faint
    tokens = "".join(
        f'<span class="{"down" if fall < 0 else "up"}" style="--share:{abs(fall) / largest:.0%}" '
        f'title="{_signed(fall)}">{escape(step.taken.name)}</span>'
        for step, fall in zip(found.steps, count.falls, strict=True)
    )
    return f'<p class="tinted">{tokens}</p>'


def draw_steps(found: Explanation, was_drawn: bool, num_others: int, language: str) -> str:
    """Returns a row for each token: its probability, and the most probable others.

    Args:
        found: the figures.
        was_drawn: whether the reply came of settings, rather than being typed.
        num_others: as many are asked for.
        language: of the words.
    """
    about = say("why.steps_about" if was_drawn else "why.steps_about_pure", language, count=num_others)
    columns = ["token", "chance", *(["own"] if was_drawn else []), "others"]
    head = "".join(f'<th scope="col">{escape(say(f"why.{column}", language))}</th>' for column in columns)
    rows = "".join(_step(step, was_drawn, language) for step in found.steps)
    table = f'<table class="steps"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return _section("steps", [about], table, language)


def _step(step: Step, was_drawn: bool, language: str) -> str:
    own = f'<td class="own">{_percent(step.taken.own)}</td>' if was_drawn else ""
    others = " ".join(_other(token, language) for token in step.others)
    return (
        f'<tr><th scope="row">{escape(step.taken.name)}</th>'
        f'<td class="chance"><span class="share" aria-hidden="true"><i style="width:{step.taken.drawn:.1%}"></i></span>'
        f'{_percent(step.taken.drawn)}</td>{own}<td class="others">{others}</td></tr>'
    )


def _other(token: Token, language: str) -> str:
    if token.drawn > 0:
        return f'<span class="other">{escape(token.name)} <small>{_percent(token.drawn)}</small></span>'
    why = escape(say("why.left_out", language, share=_percent(token.own, as_html=False)))
    return f'<span class="other left" title="{why}">{escape(token.name)} <small>{_percent(token.own)}</small></span>'


def draw_attention(found: Explanation, language: str) -> str:
    """Returns the weights, a row each token of the reply, a column each place that it may look at."""
    if found.places is None or found.weights is None:
        key = "why.no_attention" if found.weights is None else "why.nothing_there"
        return _section("attention", [say(key, language)], "", language)
    names, weights = found.places.names, found.weights
    about = [say("why.attention_about", language)]
    first = max(0, len(names) - _MOST_PLACES)
    if first:
        about.append(say("why.attention_cut", language, most=_MOST_PLACES, count=len(names)))
    starts = {start for start in found.places.starts if start > first}
    kinds = [' class="start"' if place in starts else "" for place in range(len(names))]
    head = "".join(
        f'<th scope="col"{kinds[place]}><span>{escape(names[place])}</span></th>'
        for place in range(first, len(names))
    )
    rows = []
    for step, row in zip(found.steps, weights.tolist(), strict=True):
        cells = "".join(
            f'<td{kinds[place]} style="--share:{row[place]:.0%}">{_whole(row[place])}</td>'
            for place in range(first, len(names))
        )
        rows.append(f'<tr><th scope="row">{escape(step.taken.name)}</th>{cells}</tr>')
    title = escape(say("why.attention", language))
    table = (
        f'<div class="wide" role="region" tabindex="0" aria-label="{title}"><table class="weights">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    return _section("attention", about, table, language)


def _section(name: str, about: list[str], inside: str, language: str) -> str:
    title = escape(say(f"why.{name}", language))
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in about)
    return f'<section class="why-{name}"><h3>{title}</h3>{sentences}{inside}</section>'


def _whole(share: float) -> str:
    """Returns a share in whole percents, nothing below half of one."""
    return f"{share:.0%}".removesuffix("%") if share >= 0.005 else ""


def _percent(share: float, as_html: bool = True) -> str:
    """Returns a share in percent, with two figures or so."""
    if 0 < share < 0.0005:
        return "&lt;0.1%" if as_html else "<0.1%"
    return f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"


def _signed(nats: float) -> str:
    """Returns nats with their sign; what rounds to nothing has none."""
    text = f"{nats:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "\u2212")
