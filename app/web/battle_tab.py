"""The tab of battles: two hidden models side by side, a vote, and the ranking that comes of it."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.web.battles import Battles, Shown
from app.web.chats import new_request
from app.web.drawing import escape
from app.web.house import House
from app.web.language import language_of
from app.web.ranking_view import ranking_html
from app.web.words import label, say
from app.web.words.sentences import tell
from dialog.errors import DialogError

__all__ = ["build_battle_tab"]

_VOTES = ("a", "tie", "both_bad", "b")
"""In the order of the buttons."""

_OUTPUTS = 7 + len(_VOTES)
_UNCHANGED: tuple[Any, ...] = (gr.skip(),) * _OUTPUTS


class _Handlers:
    """What the tab's buttons do; the browser sends ids, and what they stand for is in the store."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._battles = Battles(house.bots, house.store)

    def send(
        self, text: str, battle_id: str, client_id: str, request: gr.Request
    ) -> Iterator[tuple[Any, ...]]:
        """Stores the message, then shows both replies together; asks again where replies are missing."""
        try:
            owner, text = self._owner(request), (text or "").strip()
            shown = self._battles.shown(owner, battle_id) if battle_id else None
            if shown is None or not shown.is_waiting:
                if not text:
                    yield _UNCHANGED
                    return
                shown = self._battles.say(owner, battle_id or "", text, client_id, language_of(request))
                yield self._state(shown, request, box="")
            yield from self._answer(owner, shown, request)
        except DialogError as error:
            _warn(error, request)
            yield _UNCHANGED

    def load(self, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Shows the battle that was begun last, and lets missing replies come."""
        try:
            owner = self._owner(request)
            shown = self._battles.latest(owner)
            yield self._state(shown, request)
            if shown is not None:
                yield from self._answer(owner, shown, request)
        except DialogError as error:
            _warn(error, request)
            yield _UNCHANGED

    def _answer(self, owner: str, shown: Shown, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        if not shown.is_waiting:
            return
        try:
            yield self._state(self._battles.answer(owner, shown.id), request)
        except DialogError as error:
            sentence = say("battle.again", language_of(request), error=tell(error, language_of(request)))
            yield self._state(shown, request, result=sentence)

    def vote(self, choice: str, battle_id: str, request: gr.Request) -> tuple[Any, ...]:
        """Keeps the vote; shows the names, and the ranking with the vote in it."""
        try:
            shown = self._battles.vote(self._owner(request), battle_id or "", choice)
            return self._state(shown, request, ranking=self.ranking(request))
        except DialogError as error:
            _warn(error, request)
            return _UNCHANGED

    def new(self, battle_id: str, request: gr.Request) -> tuple[Any, ...]:
        """Shows an empty battle; one that had no vote is left."""
        try:
            if battle_id:
                self._battles.abandon(self._owner(request), battle_id)
            return self._state(None, request)
        except DialogError as error:
            _warn(error, request)
            return _UNCHANGED

    def delete(self, battle_id: str, request: gr.Request) -> tuple[Any, ...]:
        """Deletes a battle for good, its messages and its vote, and shows an empty one."""
        try:
            if battle_id:
                owner = self._owner(request)
                self._house.chats.delete(owner, self._house.store.battle(owner, battle_id).session_id)
            return self._state(None, request)
        except DialogError as error:
            _warn(error, request)
            return _UNCHANGED

    def ranking(self, request: gr.Request) -> str:
        """Returns the ranking of all votes."""
        language = language_of(request)
        return ranking_html(self._battles.ranking(language), language)

    def _owner(self, request: gr.Request) -> str:
        return self._house.chats.owner(request)

    def _state(
        self,
        shown: Shown | None,
        request: gr.Request,
        box: str | None = None,
        result: str | None = None,
        ranking: str | None = None,
    ) -> tuple[Any, ...]:
        """Returns what is shown: both conversations, box, ids, what to do now, ranking, and the vote's buttons."""
        language = language_of(request)
        names = ("", "") if shown is None or shown.names is None else shown.names
        if result is None:
            result = _what_now(shown, language)
        can_vote = shown is not None and shown.can_vote
        return (
            _drawn("A", names[0], () if shown is None else shown.left, language),
            _drawn("B", names[1], () if shown is None else shown.right, language),
            gr.skip() if box is None else box,
            "" if shown is None else shown.id,
            new_request(),
            f'<p role="status">{escape(result)}</p>',
            gr.skip() if ranking is None else ranking,
            *(gr.Button(interactive=can_vote) for _ in _VOTES),
        )


def _what_now(shown: Shown | None, language: str) -> str:
    if shown is None:
        return ""
    if shown.choice is not None and shown.names is not None:
        vote = say(f"battle.{shown.choice}", language)
        return say("battle.result", language, vote=vote, a=shown.names[0], b=shown.names[1])
    return say("battle.waiting" if shown.is_waiting else "battle.judge", language)


def _drawn(side: str, name: str, messages: tuple[tuple[str, str], ...], language: str) -> str:
    """Returns one side as HTML: its letter, its model once that may be known, and what was said."""
    parts = [f"<h3>{side}{' · ' + escape(name) if name else ''}</h3>"]
    for role, text in messages:
        kind = "user" if role == "user" else "bot"
        who = escape(say("chat.you" if kind == "user" else "chat.bot", language))
        parts.append(
            f'<article class="said {kind}"><span class="who">{who}</span>'
            f'<div class="text">{escape(text) or "…"}</div></article>'
        )
    if not messages:
        parts.append(f'<p class="empty">{escape(say("battle.nothing", language))}</p>')
    return f'<div class="side-log" role="log" aria-live="polite" aria-label="{side}">{"".join(parts)}</div>'


def _warn(error: DialogError, request: gr.Request) -> None:
    language = language_of(request)
    gr.Warning(escape(tell(error, language)), title=say("page.look_out", language))


def build_battle_tab(house: House) -> None:
    """Builds the tab inside the open Blocks.

    Args:
        house: what the tabs share.
    """
    handlers = _Handlers(house)
    # HTML of our own that Markdown passes through: the page's policy forbids what `gr.HTML` does with it.
    as_html: dict[str, Any] = {"sanitize_html": False, "latex_delimiters": []}
    battle_id = gr.Textbox(visible="hidden", elem_id="battle-id")
    client_id = gr.Textbox(visible="hidden", elem_id="battle-client-id")
    gr.Markdown(label("battle.about"))
    with gr.Row(elem_classes="sides"):
        left, right = (gr.Markdown(elem_id=f"battle-{side}", min_width=150, **as_html) for side in "ab")
    with gr.Row():
        votes = [
            gr.Button(
                label(f"battle.{vote}"),
                elem_id=f"battle-vote-{vote.replace('_', '-')}",
                interactive=False,
                min_width=110,
            )
            for vote in _VOTES
        ]
    now = gr.Markdown(elem_id="battle-now", **as_html)
    with gr.Row():
        box = gr.Textbox(
            label=label("battle.message"),
            elem_id="battle-message",
            placeholder=label("battle.placeholder"),
            scale=6,
            lines=1,
            max_lines=6,
        )
        send = gr.Button(
            label("battle.send"), elem_id="battle-send", variant="primary", scale=1, min_width=90
        )
        new = gr.Button(label("battle.new"), elem_id="battle-new", scale=1, min_width=90)
    with gr.Row():
        delete = gr.Button(label("battle.delete"), elem_id="battle-delete", size="sm")
    with gr.Row(visible=False) as sure:
        gone = gr.Button(label("battle.delete_sure"), elem_id="battle-delete-sure", size="sm", variant="stop")
        keep = gr.Button(label("battle.keep"), elem_id="battle-keep", size="sm")
    with gr.Accordion(label("battle.ranking"), open=True):
        show_ranking = gr.Button(label("battle.show_ranking"), elem_id="battle-show-ranking", size="sm")
        ranking = gr.Markdown(elem_id="battle-ranking", **as_html)
    outputs = [left, right, box, battle_id, client_id, now, ranking, *votes]
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    replies: dict[str, Any] = {"concurrency_id": "replies", "concurrency_limit": 16, **private}
    for event in (box.submit, send.click):
        event(handlers.send, [box, battle_id, client_id], outputs, **replies)
    for vote, button in zip(_VOTES, votes, strict=True):
        button.click(_voting(handlers, vote), [battle_id], outputs, **private)
    new.click(handlers.new, [battle_id], outputs, **private)
    delete.click(lambda: gr.Row(visible=True), None, sure, **private)
    keep.click(lambda: gr.Row(visible=False), None, sure, **private)
    gone.click(handlers.delete, [battle_id], outputs, **private).then(
        lambda: gr.Row(visible=False), None, sure, **private
    )
    show_ranking.click(handlers.ranking, None, ranking, **private)
    house.page.load(handlers.load, None, outputs, **replies)


def _voting(handlers: _Handlers, choice: str) -> Any:
    def vote(battle_id: str, request: gr.Request) -> tuple[Any, ...]:
        return handlers.vote(choice, battle_id, request)

    return vote
