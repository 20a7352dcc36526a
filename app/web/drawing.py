"""The chat as HTML: messages with their buttons, replies to choose from, the list of chats.

All of it is escaped here, and stands on one line: `gr.Markdown` passes a block of HTML through until an empty
line. A button says what it does by `data-do`; `assets/page.js` sends that, with ids, to the tab's handler.
"""

import html
from collections.abc import Collection, Iterable, Sequence

from app.store import Feedback, StoredMessage, StoredSession
from app.web.chats import View
from app.web.running import Answer
from app.web.show import how_it_came, scores_of
from app.web.words import LANGUAGES, NAMES, say

__all__ = ["SHOWN_AT_ONCE", "draw_answer", "draw_menus", "draw_sessions", "draw_view", "escape"]

SHOWN_AT_ONCE = 100
"""Messages of a branch that are drawn; the earlier ones on request."""

_ICONS = {
    "like": "M7 11v9H4v-9zm0 0 4-8c2 0 2.6 1.4 2.2 3.2L12.6 9H19a1.6 1.6 0 0 1 1.6 2l-1.8 7.4"
    "A2 2 0 0 1 16.9 20H7",
    "dislike": "M7 13V4H4v9zm0 0 4 8c2 0 2.6-1.4 2.2-3.2L12.6 15H19a1.6 1.6 0 0 0 1.6-2l-1.8-7.4"
    "A2 2 0 0 0 16.9 4H7",
    "correct": "M4 5h16M4 10h9M4 15h5m3 5 1-4 6-6 3 3-6 6z",
    "again": "M19 12a7 7 0 1 1-2-4.9M17 3v4h-4",
    "edit": "m4 20 1-4L16 5l3 3L8 19zM14 7l3 3",
    "why": "M9 17h6m-5 3h4m-6-6c-1.5-1.3-2.5-3-2.5-5a6.5 6.5 0 0 1 13 0c0 2-1 3.7-2.5 5v3H8z",
    "copy": "M9 9h11v11H9zM5 15H4V4h11v1",
    "rename": "m4 20 1-4L16 5l3 3L8 19zM14 7l3 3",
    "export": "M12 4v11m-4-4 4 4 4-4M5 19h14",
    "delete": "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5m4-5v5",
}
"""Lines in a square of 24, drawn for this page."""


def escape(text: str) -> str:
    """Returns `text` as HTML that shows just its letters; on one line, and without a letter that Markdown reads."""
    escaped = html.escape(text.replace("\r\n", "\n").replace("\r", "\n"), quote=True)
    return escaped.replace("\n", "&#10;").replace("$", "&#36;").replace("\\", "&#92;").replace("`", "&#96;")


def _icon(name: str) -> str:
    return f'<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{_ICONS[name]}"/></svg>'


def _button(
    name: str, language: str, message_id: str = "", pressed: bool | None = None, key: str = ""
) -> str:
    words = escape(say(f"chat.{key or name}", language))
    state = "" if pressed is None else f' aria-pressed="{"true" if pressed else "false"}"'
    place = f' data-id="{message_id}"' if message_id else ""
    return (
        f'<button type="button" class="tool {name}" data-do="{name}"{place}{state} '
        f'aria-label="{words}" title="{words}">{_icon(name)}</button>'
    )


def draw_view(view: View, language: str, shown: int = SHOWN_AT_ONCE) -> str:
    """Returns a branch of a chat.

    Args:
        view: the branch.
        language: of the labels.
        shown: how many of its last messages are drawn.
    """
    attributes = f'class="log" data-session="{view.session_id}" data-leaf="{view.leaf}"'
    if not view.path:
        return f'<div {attributes}><p class="empty">{escape(say("chat.empty", language))}</p></div>'
    path = list(view.path)
    has_choice = bool(view.candidates) and path[-1].role == "bot"
    if has_choice:
        path.pop()
    left_out = max(0, len(path) - shown)
    parts = []
    if left_out:
        words = escape(say("chat.earlier", language, count=left_out))
        parts.append(
            f'<button type="button" class="more" data-do="more" data-shown="{shown + 200}">{words}</button>'
        )
    parts += [_message(message, view, language) for message in path[left_out:]]
    if view.candidates:
        parts.append(_choice(view, language))
    elif path[-1].role == "user":
        words = escape(say("chat.answer", language))
        parts.append(
            f'<button type="button" class="plain unanswered" data-do="again" data-id="{path[-1].id}">'
            f"{words}</button>"
        )
    return f"<div {attributes}>{''.join(parts)}</div>"


def _message(message: StoredMessage, view: View, language: str) -> str:
    is_bot = message.role == "bot"
    who = escape(say("chat.bot" if is_bot else "chat.you", language))
    tools = _walker(message, view, language)
    feedback = (view.feedback or {}).get(message.id)
    if is_bot:
        tools += _reply_tools(message, feedback, language)
    else:
        tools += _button("edit", language, message.id)
    return (
        f'<article class="said {"bot" if is_bot else "user"}" data-id="{message.id}">'
        f'<span class="who">{who}</span><div class="text">{escape(message.text)}</div>'
        f"{_how(message, language)}{_correction(feedback, language)}"
        f'<div class="tools">{tools}</div></article>'
    )


def _reply_tools(message: StoredMessage, feedback: Feedback | None, language: str) -> str:
    value = feedback.value if feedback else None
    return "".join(
        (
            _button("like", language, message.id, value == 1),
            _button("dislike", language, message.id, value == -1),
            _button("correct", language, message.id),
            _button("again", language, message.id),
            _button("copy", language, message.id),
            _button("why", language, message.id),
        )
    )


def _correction(feedback: Feedback | None, language: str) -> str:
    if feedback is None or feedback.correction is None:
        return ""
    words = escape(say("chat.should_have_been", language))
    return f'<p class="correction"><b>{words}</b> <span>{escape(feedback.correction)}</span></p>'


def _how(message: StoredMessage, language: str) -> str:
    if message.reply is None:
        return ""
    scores = f'<span class="scores"> · {escape(scores_of(message, language))}</span>'
    return f'<small class="how">{escape(how_it_came(message, language))}{scores}</small>'


def _walker(message: StoredMessage, view: View, language: str) -> str:
    beside = (view.beside or {}).get(message.id, ())
    if len(beside) < 2:
        return ""
    place = beside.index(message.id)

    def step(name: str, arrow: str, by: int) -> str:
        words = escape(say(f"chat.{name}", language))
        to = beside[(place + by) % len(beside)]
        return (
            f'<button type="button" class="tool {name}" data-do="walk" data-id="{to}" aria-label="{words}" '
            f'title="{words}">{arrow}</button>'
        )

    where = escape(say("chat.version", language, place=place + 1, count=len(beside)))
    count = f'<span class="place" aria-label="{where}">{place + 1}/{len(beside)}</span>'
    return f'<span class="walker">{step("previous", "‹", -1)}{count}{step("next", "›", 1)}</span>'


def _choice(view: View, language: str) -> str:
    heading = escape(say("chat.choose", language))
    cards = "".join(_card(message, view, language) for message in view.candidates)
    return (
        f'<section class="choice"><h3>{heading}</h3>'
        f'<div class="cards" role="group" aria-label="{heading}">{cards}</div></section>'
    )


def _card(message: StoredMessage, view: View, language: str) -> str:
    is_chosen = message.id == view.leaf
    words = escape(say("chat.chosen" if is_chosen else "chat.take", language))
    pick = (
        f'<button type="button" class="plain pick" data-do="choose" data-id="{message.id}" '
        f'aria-pressed="{"true" if is_chosen else "false"}">{words}</button>'
    )
    feedback = (view.feedback or {}).get(message.id)
    name = f'<span class="model">{escape(message.model_name or "")}</span>'
    return (
        f'<article class="said bot card{" chosen" if is_chosen else ""}" data-id="{message.id}">{name}'
        f'<div class="text">{escape(message.text)}</div>{_how(message, language)}{_correction(feedback, language)}'
        f'<div class="tools">{pick}{_reply_tools(message, feedback, language)}</div></article>'
    )


def draw_answer(answer: Answer, language: str) -> str:
    """Returns replies while they are decoded; side by side if there are several."""
    several = len(answer.replies) > 1
    parts = []
    for reply in answer.replies:
        name = f'<span class="model">{escape(reply.model)}</span>' if several else ""
        if reply.error is not None:
            text = f'<div class="text failed">{escape(str(reply.error))}</div>'
        elif reply.text:
            text = f'<div class="text">{escape(reply.text)}</div>'
        else:
            waiting = escape(say("chat.thinking", language))
            text = f'<div class="text waiting" aria-label="{waiting}"><i></i><i></i><i></i></div>'
        parts.append(f'<article class="said bot{" card" if several else ""}">{name}{text}</article>')
    inside = f'<div class="cards">{"".join(parts)}</div>' if several else parts[0]
    return f'<div class="pending" data-parent="{answer.parent}">{inside}</div>'


def draw_sessions(
    sessions: Sequence[StoredSession],
    shown: str,
    language: str,
    found: Sequence[str] | None = None,
    temporary: Collection[str] = (),
) -> str:
    """Returns the list of chats.

    Args:
        sessions: in their order.
        shown: the id of the one that the tab shows.
        language: of the labels.
        found: of a search: a message of each that holds the words; None without a search.
        temporary: the ids of those that are not kept.
    """
    files = (
        f'<p class="files"><a href="chats/export" download>{escape(say("chat.export_all", language))}</a>'
        f'<button type="button" data-do="import">{escape(say("chat.import", language))}</button></p>'
    )
    if not sessions:
        words = escape(say("chat.no_chats" if found is None else "chat.nothing_found", language))
        return f'<div><p class="none">{words}</p>{files}</div>'
    hits: Iterable[str | None] = [None] * len(sessions) if found is None else found
    items = "".join(
        _session(session, shown, language, hit, session.id in temporary)
        for session, hit in zip(sessions, hits, strict=True)
    )
    heading = escape(say("chat.chats", language))
    return f'<div><ul class="sessions" aria-label="{heading}">{items}</ul>{files}</div>'


def _session(session: StoredSession, shown: str, language: str, hit: str | None, is_temporary: bool) -> str:
    is_shown = session.id == shown
    title = escape(session.title or say("chat.untitled", language))
    when = session.updated_at
    below = escape(hit[:80]) if hit is not None else f"{when:%Y-%m-%d %H:%M} UTC"
    if is_temporary:
        below += f" · {escape(say('data.temporary', language))}"
    tools = ""
    if is_shown:
        words = escape(say("chat.export", language))
        buttons = (
            _button("rename", language, session.id)
            + f'<a class="tool export" href="chats/{session.id}/export" download aria-label="{words}" '
            f'title="{words}">{_icon("export")}</a>' + _button("delete", language, session.id)
        )
        tools = f'<span class="tools">{buttons}</span>'
    return (
        f'<li class="{"shown" if is_shown else ""}"><button type="button" class="open" data-do="open" '
        f'data-id="{session.id}"{" aria-current=" + chr(34) + "true" + chr(34) if is_shown else ""}>'
        f'<span class="title">{title}</span><small><time datetime="{when.isoformat()}">{below}</time></small>'
        f"</button>{tools}</li>"
    )


def draw_menus(language: str, kept: str | None = None, user: str | None = None) -> str:
    """Returns the menus at the top of the page: language, colours, scores, and the way out.

    Args:
        language: the one that is shown.
        kept: the one that the owner chose elsewhere; the browser then takes it over.
        user: who is logged in; None for a guest.
    """
    languages = "".join(
        f'<option value="{name}" lang="{name}"{" selected" if name == language else ""}>{NAMES[name]}</option>'
        for name in LANGUAGES
    )
    colours = "".join(
        f'<option value="{name}">{escape(say(f"page.{name}", language))}</option>'
        for name in ("system", "light", "dark")
    )
    leave = ""
    if user is not None:
        words = escape(say("page.log_out", language))
        leave = f'<span class="who">{escape(user)}</span> <a href="logout" class="leave">{words}</a>'
    wanted = f' data-kept="{kept}"' if kept in LANGUAGES and kept != language else ""
    return (
        f'<div class="menus"{wanted}>'
        f'<label class="switch"><input type="checkbox" id="show-scores"> {escape(say("page.scores", language))}'
        "</label>"
        f'<select id="colour-menu" aria-label="{escape(say("page.colours", language))}">{colours}</select>'
        f'<select id="language-menu" aria-label="Language · 言語">{languages}</select>{leave}</div>'
    )
