"""The latent-space tab: replies of drawn z and drawn words, walks between two z, maps of z, KL a dimension."""

import json
from collections.abc import Callable
from typing import Any

import gradio as gr

from app.shipped import for_language
from app.web.drawing import escape
from app.web.house import Greeting, House
from app.web.language import language_of
from app.web.latent import MANNERS, Asked, Latents
from app.web.latent_view import draw_chats, draw_found, draw_looked_at, draw_walk
from app.web.words import label, say
from app.web.words.sentences import tell
from dialog.decoding.draws import Draw
from dialog.errors import DialogError, UsageError

__all__ = ["build_latent_tab"]

_HTML: dict[str, Any] = {"sanitize_html": False, "latex_delimiters": [], "elem_classes": ["html"]}
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_HEAVY: dict[str, Any] = {**_PRIVATE, "concurrency_id": "latent", "concurrency_limit": 2}
_VARIES = ("both", "z", "words")
_CHANGED = ("found", "way", "mine", "context", "vary", "z", "words", "start", "end")
"""What the handlers change, in the order of their outputs."""


class _Handlers:
    """What the tab's buttons do. Values come in the order of `_build_controls` and `_build_walk`."""

    def __init__(self, house: House) -> None:
        self._house, self._latents = house, Latents(house)

    def draw(self, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        """Draws replies as the controls say, by new seeds."""
        return _changed(**self._drawn(request, *values[:7], is_fresh=True))

    def again(self, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        """Draws replies as the controls say, by the draws that they name."""
        return _changed(**self._drawn(request, *values[:7], is_fresh=False))

    def walk(self, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        """Walks as the controls say."""
        model, context, manner, _, _, _, words, start, end, points = values
        found = self._latents.walk(Asked(model, context, manner), start, end, points, words)
        return _changed(way=draw_walk(found, language_of(request)))

    def mine(self, request: gr.Request) -> tuple[Any, ...]:
        """Lists the chats that can be taken over."""
        chats = self._latents.chats(self._house.chats.owner(request))
        return _changed(mine=draw_chats(chats, language_of(request)))

    def look(self, request: gr.Request, model: str) -> tuple[str]:
        """Draws the map of the owner's chats."""
        found = self._latents.look(self._house.chats.owner(request), model)
        return (draw_looked_at(found, language_of(request)),)

    def act(self, request: gr.Request, action: str, *values: Any) -> tuple[Any, ...]:
        """Does what a button on a reply, or on a chat of the list, asks for."""
        asked = _read(action)
        what, of = str(asked.get("do")), str(asked.get("id"))
        if what == "take":
            return self._take(of, request)
        z, words = (str(Draw.parse(name)) for name in (*of.split(" "), "")[:2])
        if what in ("from_here", "to_here"):
            return _changed(**{"start" if what == "from_here" else "end": z})
        vary = {"other_words": "words", "other_z": "z"}.get(what, "")
        drawn = self._drawn(request, *values[:3], vary, values[4], z, words, is_fresh=True)
        return _changed(vary=vary, **drawn)

    def _drawn(self, request: gr.Request, *values: Any, is_fresh: bool) -> dict[str, Any]:
        model, context, manner, vary, count, z, words = values
        asked = Asked(model, context, manner)
        found, of_z, of_words = self._latents.draw(asked, vary, count, z, words, is_fresh)
        changed = {"found": draw_found(found, language_of(request)), "z": str(of_z), "words": str(of_words)}
        if len(set(found.latents)) > 1:
            changed |= {"start": str(found.latents[0]), "end": str(found.latents[1])}
        return changed

    def _take(self, session_id: str, request: gr.Request) -> tuple[Any, ...]:
        language = language_of(request)
        taken = self._latents.take(self._house.chats.owner(request), session_id)
        title = taken.title or say("chat.untitled", language)
        told = say(
            "latent.taken_last" if taken.is_cut else "latent.taken",
            language,
            title=title,
            count=taken.num_turns,
        )
        return _changed(context=taken.context, mine=f'<p role="status">{escape(told)}</p>')


def _changed(**values: Any) -> tuple[Any, ...]:
    return tuple(values.get(name, gr.skip()) for name in _CHANGED)


def _read(action: str) -> dict[str, Any]:
    try:
        asked = json.loads(action)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise UsageError("the page's event cannot be read; reload the page")
    return asked


def _told(handler: Callable[..., tuple[Any, ...]], num_outputs: int = len(_CHANGED)) -> Callable[..., Any]:
    """Returns a handler whose errors are shown as sentences, and then change nothing."""

    def handle(request: gr.Request, *values: Any) -> Any:
        try:
            changed = handler(request, *values)
        except DialogError as error:
            language = language_of(request)
            gr.Warning(escape(tell(error, language)), title=say("page.look_out", language))
            changed = (gr.skip(),) * num_outputs
        return changed if num_outputs > 1 else changed[0]

    return handle


def build_latent_tab(house: House) -> None:
    """Builds the tab inside the open Blocks.

    Args:
        house: bots and chats.
    """
    handlers, names = _Handlers(house), house.bots.latent_names
    gr.Markdown(label("latent.about"), elem_classes=["latent-about"])
    none = gr.Markdown(label("latent.none"), visible=not names, elem_id="latent-none")
    action = gr.Textbox(visible="hidden", elem_id="latent-action")
    act = gr.Button(visible="hidden", elem_id="latent-act")
    with gr.Column(visible=bool(names), elem_id="latent-talk") as part:
        controls, mine_button, mine, (draw, again) = _build_controls(
            names, not set(names) <= set(house.bots.names)
        )
        found = gr.Markdown("", elem_id="latent-found", **_HTML)
        walking, walk, way = _build_walk()
        with gr.Accordion(label("latent.chats"), open=False, elem_id="latent-chats"):
            gr.Markdown(label("latent.chats_about"), elem_classes=["latent-about"])
            look = gr.Button(label("latent.look"), elem_id="latent-look", size="sm")
            looked_at = gr.Markdown("", elem_id="latent-looked-at", **_HTML)
    model, context, _, vary, _, z, words = controls
    start, end, _ = walking
    inputs, outputs = [*controls, *walking], [found, way, mine, context, vary, z, words, start, end]
    draw.click(_told(handlers.draw), inputs, outputs, **_HEAVY)
    again.click(_told(handlers.again), inputs, outputs, **_HEAVY)
    act.click(_told(handlers.act), [action, *inputs], outputs, trigger_mode="multiple", **_HEAVY)
    walk.click(_told(handlers.walk), inputs, outputs, **_HEAVY)
    look.click(_told(handlers.look, 1), [model], looked_at, **_HEAVY)
    mine_button.click(_told(handlers.mine), None, outputs, **_PRIVATE)

    def loaded_by_now(request: gr.Request) -> tuple[Any, Any, Any]:
        loaded = house.bots.latent_names
        first = next(iter(for_language(loaded, language_of(request))), None)
        chosen = gr.Dropdown(choices=loaded, value=first) if loaded else gr.skip()
        return chosen, gr.Column(visible=bool(loaded)), gr.Markdown(visible=not loaded)

    house.greetings.append(Greeting(loaded_by_now, [model, part, none]))


def _build_controls(names: list[str], has_silent: bool) -> tuple[list[Any], Any, Any, tuple[Any, Any]]:
    """Makes the controls; returns them, the button for one's chats, their list, and the two that draw."""
    with gr.Row(elem_classes=["latent-top"]):
        with gr.Column(scale=3, min_width=280):
            context = gr.Textbox(
                label=label("latent.context"),
                info=label("latent.context_info") if has_silent else None,
                placeholder=label("latent.context_placeholder"),
                lines=8,
                max_lines=14,
                elem_id="latent-context",
            )
            mine_button = gr.Button(label("latent.mine"), elem_id="latent-mine-button", size="sm")
            mine = gr.Markdown("", elem_id="latent-mine", **_HTML)
        with gr.Column(scale=2, min_width=280):
            with gr.Row(elem_classes=["choices"]):
                model = gr.Dropdown(
                    names,
                    value=names[0] if names else None,
                    label=label("latent.model"),
                    elem_id="latent-model",
                    filterable=False,
                )
                manners = [(label(f"controls.{name}"), name) for name in MANNERS]
                manner = gr.Dropdown(
                    manners,
                    value="lively",
                    label=label("controls.preset"),
                    elem_id="latent-manner",
                    filterable=False,
                )
            vary = gr.Radio(
                [(label(f"latent.vary_{one}"), one) for one in _VARIES],
                value="both",
                label=label("latent.vary"),
                elem_id="latent-vary",
            )
            with gr.Row(elem_classes=["choices"]):
                count = gr.Number(
                    8, precision=0, label=label("latent.count"), elem_id="latent-count", min_width=70
                )
                z = gr.Textbox("1/1", label=label("latent.z"), elem_id="latent-z", max_lines=1, min_width=100)
                words = gr.Textbox(
                    "1/1", label=label("latent.words"), elem_id="latent-words", max_lines=1, min_width=100
                )
            with gr.Row(elem_classes=["latent-go"]):
                again = gr.Button(label("latent.again"), elem_id="latent-again", min_width=110)
                draw = gr.Button(
                    label("latent.draw"), elem_id="latent-draw", variant="primary", min_width=110
                )
    return [model, context, manner, vary, count, z, words], mine_button, mine, (draw, again)


def _build_walk() -> tuple[list[Any], Any, Any]:
    """Makes the controls of a walk; returns them, the button, and where the walk is shown."""
    with gr.Accordion(label("latent.walk_title"), open=True, elem_id="latent-walking"):
        gr.Markdown(label("latent.walk_about"), elem_classes=["latent-about"])
        with gr.Row(elem_classes=["choices", "latent-walk-row"]):
            start = gr.Textbox(
                "1/1", label=label("latent.start"), elem_id="latent-start", max_lines=1, min_width=90
            )
            end = gr.Textbox(
                "1/2", label=label("latent.end"), elem_id="latent-end", max_lines=1, min_width=90
            )
            points = gr.Number(
                8, precision=0, label=label("latent.points"), elem_id="latent-points", min_width=70
            )
            walk = gr.Button(
                label("latent.walk"), elem_id="latent-walk", variant="primary", min_width=90, scale=0
            )
        way = gr.Markdown("", elem_id="latent-way", **_HTML)
    return [start, end, points], walk, way
