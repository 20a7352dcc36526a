"""What the page says of stored messages: how each reply came about, in the page's language."""

import math

from app.store import StoredMessage
from app.web.words import say

__all__ = ["how_it_came", "scores_of"]

_SCORES = ("beam", "kl")


def how_it_came(message: StoredMessage, language: str = "en") -> str:
    """Returns which model made a reply, by which method, and the seed that gives it again; "" for no reply."""
    reply = message.reply
    if reply is None:
        return ""
    asked = reply.sampling
    parts = [message.model_name or ""]
    if asked.method == "greedy":
        parts.append(say("show.greedy", language))
    if asked.method == "beam":
        parts.append(say("show.beam_of", language, size=asked.beam_size))
    if asked.method == "sample" or reply.latent is not None:  # z is drawn for the others, too
        parts.append(say("show.seed", language, seed=reply.seed))
    if reply.index:
        parts.append(say("show.index", language, number=reply.index + 1))
    if reply.ended != "end":
        parts.append(say(f"show.{reply.ended}", language))
    return " · ".join(parts)


def scores_of(message: StoredMessage, language: str = "en") -> str:
    """Returns a reply's tokens, and its scores in nats."""
    reply = message.reply
    if reply is None:
        return ""
    parts = [say("show.tokens", language, count=len(reply.tokens))]
    if not math.isnan(reply.log_probability):
        parts.append(say("show.log_p", language, nats=f"{reply.log_probability:.1f}"))
    parts += [f"{name} {reply.scores[name]:.1f}" for name in _SCORES if name in reply.scores]
    return " · ".join(parts)
