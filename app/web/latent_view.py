"""The latent-space tab as HTML: replies with what they were drawn from, walks, maps, the list of chats to take over.

All of it is escaped here, and stands on one line; see `app.web.drawing`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.store import StoredSession
from app.web.drawing import escape
from app.web.latent import MOST_MESSAGES, Drawn, Walked
from app.web.latent_pictures import KL_FLOOR, bars_svg, colours_of, map_svg
from app.web.words import say
from dialog.decoding.draws import Draw
from dialog.decoding.replies import Reply
from dialog.evaluation.sums import Floats

if TYPE_CHECKING:
    from dialog.evaluation.latent_points import LatentPoints

__all__ = ["draw_chats", "draw_found", "draw_looked_at", "draw_walk"]

_MOST_LISTED = 12


def draw_found(found: Drawn, language: str) -> str:
    """Returns replies as cards beside the map of their z and the bars of KL."""
    from dialog.evaluation.pictures.latent import principal_plane

    texts = [reply.text for reply in found.replies]
    different = len({reply.tokens for reply in found.replies})
    said = [say("latent.found", language, count=len(texts), different=different)]
    has_one_z = len(set(found.latents)) == 1
    if has_one_z:
        said.append(say("latent.found_z", language, z=found.latents[0]))
    elif len(set(found.words)) == 1:
        said.append(say("latent.found_words", language, words=found.words[0]))
    nats = iter(() if found.points is None else found.points.kl.sum(axis=1).tolist())
    colours = colours_of(texts)
    cards = "".join(
        _card(
            number, reply, latent, words, next(nats, None) if reply.text.strip() else None, colour, language
        )
        for number, (reply, latent, words, colour) in enumerate(
            zip(found.replies, found.latents, found.words, colours, strict=True), 1
        )
    )
    if has_one_z:
        pictures = _paragraph(say("latent.one_z", language, z=found.latents[0])) if len(texts) > 1 else ""
    else:
        places, shares = principal_plane(
            np.array([reply.latent for reply in found.replies], dtype=np.float64)
        )
        pictures = _map(places, shares, texts, "latent.map_about", language, numbered=True)
    if found.points is not None:
        pictures += _bars(found.points, language)
    return (
        f'<div class="spoken-found"><p role="status">{escape(" ".join(said))}</p>'
        f'<div class="spoken-beside"><ol class="spoken-list">{cards}</ol>'
        f'<div class="spoken-pictures">{pictures}</div></div></div>'
    )


def _card(
    number: int, reply: Reply, latent: Draw, words: Draw, nats: float | None, colour: str, language: str
) -> str:
    parts = [say("latent.seed_line", language, z=latent, words=words)]
    if nats is not None:
        parts.append(say("latent.nats", language, nats=f"{nats:.2f}"))
    if reply.ended == "length":
        parts.append(say("latent.length", language))
    names = {"z": latent, "words": words}
    buttons = "".join(
        _button(what, f"{latent} {words}", names, language)
        for what in ("other_words", "other_z", "from_here", "to_here")
    )
    return (
        f'<li class="spoken" data-number="{number}"><b class="number" style="background:{colour}">{number}</b>'
        f'<div class="words">{_words(reply, language)}</div><small>{escape(" · ".join(parts))}</small>'
        f'<div class="acts">{buttons}</div></li>'
    )


def _words(reply: Reply, language: str) -> str:
    return escape(reply.text) or f"<i>{escape(say('latent.nothing', language))}</i>"


def _button(what: str, draws: str, names: dict[str, Draw], language: str) -> str:
    hint = escape(say(f"latent.{what}_hint", language, **names))
    return (
        f'<button type="button" class="plain" data-do="{what}" data-id="{draws}" aria-label="{hint}" '
        f'title="{hint}">{escape(say(f"latent.{what}", language))}</button>'
    )


def draw_walk(found: Walked, language: str) -> str:
    """Returns the replies of a walk, one below the other; one that is as the one before is said to be so."""
    replies, last = found.replies, len(found.replies) - 1
    different = len({reply.tokens for reply in replies})
    about = say(
        "latent.way",
        language,
        start=found.start,
        end=found.end,
        count=len(replies),
        different=different,
        words=found.words,
    )
    same = escape(say("latent.same", language))
    items = []
    for place, (reply, colour) in enumerate(
        zip(replies, colours_of([one.text for one in replies]), strict=True)
    ):
        percent = round(100 * place / last)
        share = escape(say("latent.share", language, percent=percent))
        is_same = place > 0 and reply.tokens == replies[place - 1].tokens
        words = f'<span class="same">{same}</span>' if is_same else _words(reply, language)
        items.append(
            f'<li class="{"step same" if is_same else "step"}"><span class="share" aria-label="{share}" '
            f'title="{share}"><i style="width:{percent}%;background:{colour}"></i></span>'
            f'<small>{percent} %</small><div class="words">{words}</div></li>'
        )
    return f'<div><p role="status">{escape(about)}</p><ol class="spoken-walk">{"".join(items)}</ol></div>'


def draw_looked_at(found: "LatentPoints | None", language: str) -> str:
    """Returns the map and the bars of what was said in chats, and the messages that tell most of z."""
    if found is None:
        return f'<div><p role="status">{escape(say("latent.chats_none", language))}</p></div>'
    from dialog.evaluation.pictures.latent import principal_plane

    places, shares = principal_plane(found.places)
    picture = _map(places, shares, found.texts, "latent.map_chats_about", language, numbered=False)
    nats = found.kl.sum(axis=1)
    most = np.argsort(-nats, kind="stable")[:_MOST_LISTED]
    rows = "".join(
        f"<tr><td>{nats[row]:.2f}</td><td>{escape(found.texts[row])}</td></tr>" for row in most.tolist()
    )
    table = (
        f'<table class="spoken-most"><caption>{escape(say("latent.most", language))}</caption><thead><tr>'
        f'<th scope="col">{escape(say("latent.kl_short", language))}</th>'
        f'<th scope="col">{escape(say("latent.message", language))}</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    key = "latent.chats_found_most" if len(found.texts) >= MOST_MESSAGES else "latent.chats_found"
    status = escape(say(key, language, count=len(found.texts)))
    return (
        f'<div class="spoken-found"><p role="status">{status}</p><div class="spoken-beside">'
        f"<div>{table}</div>"
        f'<div class="spoken-pictures">{picture}{_bars(found, language)}</div></div></div>'
    )


def draw_chats(sessions: Sequence[StoredSession], language: str) -> str:
    """Returns the chats that can be taken over, a button each."""
    if not sessions:
        return f'<div><p role="status">{escape(say("latent.mine_none", language))}</p></div>'
    buttons = "".join(
        f'<li><button type="button" class="plain" data-do="take" data-id="{session.id}">'
        f"{escape(session.title or say('chat.untitled', language))}</button></li>"
        for session in sessions
    )
    heading = escape(say("latent.mine_choose", language))
    return f'<div><p>{heading}</p><ul class="spoken-chats" aria-label="{heading}">{buttons}</ul></div>'


def _map(
    places: Floats,
    shares: tuple[float, float],
    texts: Sequence[str],
    about: str,
    language: str,
    numbered: bool,
) -> str:
    told = say(about, language, first=f"{100 * shares[0]:.0f}", second=f"{100 * shares[1]:.0f}")
    return (
        f"<figure><h4>{escape(say('latent.map', language))}</h4>{map_svg(places, texts, language, numbered)}"
        f'<p class="pointed" aria-hidden="true"></p><figcaption>{escape(told)}</figcaption></figure>'
    )


def _bars(found: "LatentPoints", language: str) -> str:
    figures = _bars_of(found.kl_per_dimension, "latent.kl", language, count=len(found.texts))
    if found.conversation_kl is not None:
        figures += _bars_of(found.conversation_kl.mean(axis=0), "latent.kl_conversation", language)
    return figures


def _bars_of(kl: Floats, title: str, language: str, **values: object) -> str:
    told = say(
        f"{title}_about",
        language,
        total=f"{kl.sum():.2f}",
        active=int((kl > KL_FLOOR).sum()),
        dimensions=len(kl),
        floor=KL_FLOOR,
        **values,
    )
    heading = say(title, language)
    return (
        f"<figure><h4>{escape(heading)}</h4>{bars_svg(kl, heading, language)}"
        f'<p class="pointed" aria-hidden="true"></p><figcaption>{escape(told)}</figcaption></figure>'
    )


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"
