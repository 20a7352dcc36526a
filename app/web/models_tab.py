"""The tab of models and trainings: what answers, how it was trained; for administrators also loading and training.

Every handler finds out for itself whether an administrator asks: what the browser shows or hides protects nothing.
"""

import json
import math
from collections.abc import Callable
from typing import Any

import gradio as gr

from app.access import is_admin
from app.trainings import Plan
from app.web.drawing import escape
from app.web.house import House
from app.web.language import language_of
from app.web.model_menu import model_menu
from app.web.models import Models
from app.web.models_drawing import draw_told
from app.web.words import label, say
from app.web.words.sentences import tell
from dialog.errors import DialogError, UsageError

__all__ = ["build_models_tab"]

Values = tuple[Any, ...]


class _Handlers:
    """What the tab's events call."""

    def __init__(self, house: House) -> None:
        self._house, self._models = house, Models(house)
        self._unchanged: Values = (gr.skip(),) * (6 + len(house.menus))

    def look(self, request: gr.Request) -> Values:
        """Shows everything anew."""
        try:
            return self._shown(request, "")
        except DialogError as error:
            _warn(error, request)
            return self._unchanged

    def tick(self, request: gr.Request) -> str:
        """Shows the training that runs."""
        return self._models.running(language_of(request), is_admin(request))

    def act(self, action: str, minutes: Any, updates: Any, request: gr.Request) -> Values:
        """Does what a button of the list says."""

        def done() -> str:
            try:
                asked = json.loads(action or "{}")
                what, name = str(asked["do"]), str(asked["name"])
            except (ValueError, LookupError, TypeError):
                raise UsageError("the page's event cannot be read; reload the page") from None
            return self._models.act(what, name, *_time(minutes, updates), language_of(request))

        return self._administered(done, request)

    def load(self, path: str, request: gr.Request) -> Values:
        """Loads the run folder that was typed."""
        return self._administered(lambda: self._models.load(str(path or ""), language_of(request)), request)

    def start(self, model: Any, minutes: Any, updates: Any, rate: Any, request: gr.Request) -> Values:
        """Starts a training."""

        def done() -> str:
            if not isinstance(model, str):
                raise UsageError("no model is chosen; choose one or more")
            plan = Plan("", *_time(minutes, updates), _number(rate, "the learning rate"))
            name = self._models.start(model, plan)
            return say("models.told_started", language_of(request), name=name)

        return self._administered(done, request)

    def _administered(self, action: Callable[[], str], request: gr.Request) -> Values:
        """Does something for an administrator, and shows everything anew; others are refused."""
        try:
            if not is_admin(request):
                raise UsageError("this is for administrators; log in as one")
            return self._shown(request, draw_told(action()))
        except DialogError as error:
            _warn(error, request)
            return self._unchanged

    def _shown(self, request: gr.Request, told: str) -> Values:
        """Returns: what was done, the form, what there is to learn, the running training, the list, the menus."""
        language, admin = language_of(request), is_admin(request)
        names = self._house.bots.names
        return (
            told,
            gr.Column(visible=admin),
            self._models.lessons(language) if admin else "",
            self._models.running(language, admin),
            self._models.listed(language, admin),
            "",
            *(gr.update(choices=[(name, name) for name in names]) for _ in self._house.menus),
        )


def _warn(error: DialogError, request: gr.Request) -> None:
    language = language_of(request)
    gr.Warning(escape(tell(error, language)), title=say("page.look_out", language))


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{what} is empty, but needs a number; type one, or reload the page")
    return float(value)


def _time(minutes: Any, updates: Any) -> tuple[float, int | None]:
    given = None if updates in (None, "", 0) else int(_number(updates, "the number of updates"))
    return _number(minutes, "the time"), given


def build_models_tab(house: House) -> None:
    """Builds the tab inside the open Blocks. It comes after all others, whose menus it changes.

    Args:
        house: what the tabs share.
    """
    names = house.bots.names
    action = gr.Textbox(visible="hidden", elem_id="models-action")
    act, look, tick = (
        gr.Button(visible="hidden", elem_id=f"models-{name}") for name in ("act", "look", "tick")
    )
    gr.Markdown(label("models.about"))
    told = _html("models-told")
    with gr.Column(elem_id="models-board"):
        running = _html("models-running")
        with gr.Column(visible=False, elem_id="models-form") as form:
            gr.Markdown(label("models.learn_title"), elem_id="models-learn-title")
            lessons = _html("models-lessons")
            with gr.Row():
                model = model_menu(
                    names,
                    label=label("models.start_from"),
                    elem_id="models-start-from",
                    filterable=False,
                    min_width=160,
                )
                house.menus.append(model)
                minutes = _numeric("minutes", 10)
                updates = _numeric("updates", None)
                rate = _numeric("learning_rate", 0.0005)
            start = gr.Button(
                label("models.start"), elem_id="models-start", variant="primary", scale=0, min_width=160
            )
            with gr.Row(elem_classes="composer"):
                path = gr.Textbox(
                    label=label("models.path"),
                    placeholder=label("models.path_hint"),
                    elem_id="models-path",
                    max_lines=1,
                    max_length=4096,
                    scale=6,
                    min_width=160,
                )
                load = gr.Button(label("models.load_path"), elem_id="models-load-path", scale=0, min_width=90)
        listed = _html("models-list")
    handlers = _Handlers(house)
    outputs = [told, form, lessons, running, listed, path, *house.menus]
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    look.click(handlers.look, None, outputs, **private)
    tick.click(handlers.tick, None, running, **private)
    act.click(handlers.act, [action, minutes, updates], outputs, **private)
    start.click(handlers.start, [model, minutes, updates, rate], outputs, **private)
    for event in (load.click, path.submit):
        event(handlers.load, [path], outputs, **private)


def _html(place: str) -> gr.Markdown:
    return gr.Markdown(
        "", sanitize_html=False, latex_delimiters=[], elem_id=place, elem_classes=["html", "models"]
    )


def _numeric(name: str, value: float | None) -> gr.Number:
    place = f"models-{name.replace('_', '-')}"
    return gr.Number(value, label=label(f"models.{name}"), elem_id=place, min_width=110)
