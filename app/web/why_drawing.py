"""Why a reply came about, as HTML: bars for turns, a table of steps, a table of attention weights.

All of it is text that the browser sets and reads aloud, tinted by the sheet's own colours; escaped, on one line.
"""

from collections.abc import Sequence

from app.store import StoredMessage
from app.web.drawing import escape
from app.web.show import how_it_came
from app.web.why_figures import draw_attention, draw_steps, draw_turns
from app.web.whys import NUM_OTHERS, Choices, Why
from app.web.words import say
from dialog.decoding.replies import FIELDS_OF, Sampling

__all__ = ["draw_choices", "draw_why"]

_TITLE = 60  # characters of a reply in the list
_UNSHOWN = ("max_tokens", "min_tokens", "stop")
"""They end a reply, and change no probability but that of the end."""


def draw_choices(choices: Choices, language: str) -> str:
    """Returns the two lists to choose from: chats, and replies of the chosen one."""
    if not choices.sessions:
        return f'<p class="none">{escape(say("why.no_replies", language))}</p>'
    chats = [(session.id, session.title or say("chat.untitled", language)) for session in choices.sessions]
    replies = [(message.id, _line(message)) for message in choices.replies]
    first = "why.choose_reply" if replies else "why.no_replies_here"
    if not choices.message_id:
        replies.insert(0, ("", say(first, language)))
    return (
        '<div class="why-choices">'
        f"{_select('why-chat', say('why.chat', language), chats, choices.session_id)}"
        f"{_select('why-reply', say('why.reply', language), replies, choices.message_id, choices.session_id)}</div>"
    )


def _line(message: StoredMessage) -> str:
    text = " ".join(message.text.split())
    return text if len(text) <= _TITLE else f"{text[: _TITLE - 1]}…"


def _select(
    do: str, words: str, options: Sequence[tuple[str, str]], chosen: str, session_id: str = ""
) -> str:
    inside = "".join(
        f'<option value="{id_}"{" selected" if id_ == chosen else ""}>{escape(text)}</option>'
        for id_, text in options
    )
    return f'<label>{escape(words)} <select data-why="{do}" data-session="{session_id}">{inside}</select></label>'


def draw_why(why: Why, language: str) -> str:
    """Returns all that is told of a reply."""
    found = why.explanation
    parts = [
        f'<p class="why-reply"><span class="text">{escape(why.text)}</span></p>',
        f'<ul class="why-facts">{"".join(f"<li>{escape(fact)}</li>" for fact in _facts(why, language))}</ul>',
        draw_turns(found, why.model, language),
        draw_steps(found, why.message is not None, NUM_OTHERS, language),
        draw_attention(found, language),
    ]
    heading = escape(say("why.result", language))
    return f'<section class="why" aria-label="{heading}">{"".join(parts)}</section>'


def _facts(why: Why, language: str) -> list[str]:
    """Returns the sentences above the figures."""
    found, message = why.explanation, why.message
    nats = say("why.log_p", language, nats=f"{found.log_probability:.2f}")
    if message is None or message.reply is None:
        facts = [f"{why.model} · {nats}", say("why.pure", language)]
    else:
        if message.reply.sampling.method == "sample":
            drawn = f"{found.drawn_log_probability:.2f}"
            nats += " · " + say("why.log_p_drawn", language, nats=drawn)
        facts = [how_it_came(message, language), nats]
        facts.append(f"{say('why.asked_with', language)}: {_settings(message.reply.sampling, language)}")
        if not why.is_same_context:
            facts.append(say("why.other_context", language))
    if found.latent == "given" and message is not None and message.reply is not None:
        facts.append(say("why.z_given", language, seed=message.reply.seed))
    elif found.latent == "mean":
        facts.append(say("why.z_mean" if message is None else "why.z_lost", language))
    if found.num_tokens > len(found.steps):
        facts.append(say("why.cut_reply", language, count=found.num_tokens, most=len(found.steps)))
    return facts


def _settings(sampling: Sampling, language: str) -> str:
    """Returns how tokens were chosen: the method, and what differs from doing nothing."""
    plain = Sampling(sampling.method)
    parts = [say(f"controls.{sampling.method}", language)]
    for name in FIELDS_OF[sampling.method]:
        value = getattr(sampling, name)
        if name not in _UNSHOWN and (value != getattr(plain, name) or name in ("temperature", "beam_size")):
            words = say(f"controls.{name}", language).replace("(", "(").partition("(")[0].strip()
            parts.append(f"{words} {value:g}")
    return " · ".join(parts)
