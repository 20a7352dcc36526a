"""Stored messages as the page shows them: texts stay texts, and each reply says how it came about."""

import html
import math
from collections.abc import Sequence
from typing import Any

from app.store import StoredMessage, StoredSession

__all__ = ["as_text", "bubble", "choices", "conversation", "how_it_came"]

_ENDS = {"end": "ended by itself", "length": "cut at its longest", "stop": "stopped"}
_SCORES = {"beam": "beam"}


def as_text(text: str) -> str:
    """Returns `text` so that a Chatbot shows its letters and nothing of it as markup."""
    return html.escape(text, quote=False)


def how_it_came(message: StoredMessage) -> str:
    """Returns one line on a reply: model, method or seed, tokens, scores in nats, how it ended."""
    reply = message.reply
    if reply is None:
        return ""
    asked = reply.sampling
    chosen = {"greedy": ["greedy"], "beam": [f"beam of {asked.beam_size}"]}.get(asked.method, [])
    if asked.method == "sample" or reply.latent is not None:  # z is drawn for the others, too
        chosen.append(f"seed {reply.seed}")
    if reply.index:
        chosen.append(f"reply {reply.index + 1}")
    nats = "" if math.isnan(reply.log_probability) else f" · log p {reply.log_probability:.1f} nats"
    further = "".join(
        f" · {_SCORES[name]} {nats:.1f}" for name, nats in reply.scores.items() if name in _SCORES
    )
    how = " · ".join([message.model_name or "", *chosen])
    return f"{how} · {len(reply.tokens)} tokens{nats}{further} · {_ENDS[reply.ended]}"


def bubble(message: StoredMessage) -> dict[str, Any]:
    """Returns a message as a Chatbot's entry."""
    content = as_text(message.text)
    if message.reply is not None:
        content += f'<br><small class="how">{as_text(how_it_came(message))}</small>'
    return {"role": "user" if message.role == "user" else "assistant", "content": content}


def conversation(path: Sequence[StoredMessage]) -> list[dict[str, Any]]:
    """Returns a branch as a Chatbot's entries."""
    return [bubble(message) for message in path]


def choices(sessions: Sequence[StoredSession]) -> list[tuple[str, str]]:
    """Returns chats as (label, id): title and day."""
    return [
        (f"{session.title or 'New chat'}  ·  {session.updated_at:%d %b %H:%M}", session.id)
        for session in sessions
    ]
