"""The components that the chat and the comparison share: list of chats, conversation, box, settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.store import Kind
from app.web.controls import build_preset, build_sampling, connect_preset
from app.web.house import Greeting, House
from app.web.language import language_of
from app.web.model_menu import chosen, model_menu
from app.web.talk import Talk
from app.web.words import label

__all__ = ["TalkTab", "build_talk_tab"]


@dataclass(frozen=True, slots=True)
class TalkTab:
    """What differs between the two tabs.

    Attributes:
        kind: of the chats that it shows; also the prefix of its elements' ids.
        new, message, send, count: keys of the words.
        is_comparing: whether several models answer.
    """

    kind: Kind
    new: str
    message: str
    send: str
    count: str
    is_comparing: bool


def build_talk_tab(house: House, tab: TalkTab) -> None:
    """Builds a tab inside the open Blocks.

    Args:
        house: bots and chats.
        tab: which of the two.
    """
    name, talk = tab.kind, Talk(house.chats, tab.kind)
    session_id = gr.Textbox(visible="hidden", elem_id=f"{name}-session")
    leaf = gr.Textbox(visible="hidden", elem_id=f"{name}-leaf")
    request = gr.Textbox(visible="hidden", elem_id=f"{name}-request")
    action = gr.Textbox(visible="hidden", elem_id=f"{name}-action")
    act = gr.Button(visible="hidden", elem_id=f"{name}-act")
    with gr.Row(elem_id=f"{name}-talk", elem_classes="talk"):
        with gr.Column(scale=1, min_width=220, elem_classes="side", elem_id=f"{name}-side"):
            new = gr.Button(label(tab.new), elem_id=f"{name}-new", variant="secondary", size="md")
            gr.Textbox(  # the page's script asks as one types, see `app.web.finding`
                label=label("chat.search"),
                placeholder=label("chat.search"),
                show_label=False,
                elem_id=f"{name}-search",
                container=False,
                max_length=200,
            )
            sessions = _html(f"{name}-sessions", "list")
        with gr.Column(scale=4, min_width=300, elem_classes="middle"):
            with gr.Column(elem_classes="scroll", elem_id=f"{name}-scroll"):
                shown = _html(f"{name}-conversation", "conversation")
                live = _html(f"{name}-live", "live")
            with gr.Row(elem_classes="composer"):
                box = gr.Textbox(
                    label=label(tab.message),
                    show_label=False,
                    container=False,
                    elem_id=f"{name}-message",
                    placeholder=label("chat.placeholder"),
                    scale=6,
                    min_width=160,
                    lines=1,
                    max_lines=6,
                    autofocus=name == "chat",
                )
                send = gr.Button(
                    label(tab.send), elem_id=f"{name}-send", variant="primary", scale=0, min_width=104
                )
                stop = gr.Button(
                    label("chat.stop"), elem_id=f"{name}-stop", variant="stop", scale=0, min_width=84
                )
            with gr.Row(elem_classes="choices"):
                models = _models(house, tab)
                preset = build_preset(name)
            with gr.Accordion(label("chat.details"), open=False, elem_id=f"{name}-details"):
                count = gr.Slider(1, 5, 1, step=1, label=label(tab.count), elem_id=f"{name}-count")
                sampling = build_sampling(name)
    connect_preset(preset, sampling)
    outputs = [shown, live, box, session_id, leaf, sessions, request]
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    # What waits for a reply holds no thread, so any number of them may wait.
    waiting: dict[str, Any] = {**private, "concurrency_limit": None, "trigger_mode": "multiple"}
    sent = [box, session_id, leaf, request, models, count, *sampling]
    for event in (box.submit, send.click):
        # Each press counts, also while an earlier reply still streams: it is ended first.
        event(talk.send, sent, outputs, **waiting)
    act.click(talk.act, [action, models, count, *sampling], outputs, **waiting)
    new.click(talk.new, None, outputs, **waiting)
    stop.click(talk.stop, [session_id], None, queue=False, **private)
    house.page.load(talk.load, None, outputs, **waiting)
    house.greetings.append(Greeting(_for_reader(house, tab), [models]))


def _html(place: str, of_class: str) -> gr.Markdown:
    return gr.Markdown(
        "", sanitize_html=False, latex_delimiters=[], elem_id=place, elem_classes=["html", of_class]
    )


def _for_reader(house: House, tab: TalkTab) -> Callable[[gr.Request], tuple[Any]]:
    """Returns what chooses the models to talk to in the reader's language."""

    def told(request: gr.Request) -> tuple[Any]:
        return (gr.update(value=chosen(house.bots.names, language_of(request), tab.is_comparing)),)

    return told


def _models(house: House, tab: TalkTab) -> gr.Dropdown:
    names, place = house.bots.names, f"{tab.kind}-model"
    if tab.is_comparing:
        words = label("compare.models")
        menu = model_menu(names, label=words, elem_id=f"{place}s", multiselect=True)
    else:
        menu = model_menu(names, label=label("chat.model"), elem_id=place, filterable=False)
    house.menus.append(menu)
    return menu
