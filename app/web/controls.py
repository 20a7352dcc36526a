"""The sampling controls that both tabs have: those of the chosen method are shown, what is seldom used is folded."""

import secrets
from typing import Any

import gradio as gr

from app.web.words import label
from dialog.decoding.replies import CHAT_SAMPLING, FIELDS_OF, Sampling
from dialog.errors import UsageError

__all__ = ["PRESETS", "build_preset", "build_sampling", "connect_preset", "read_sampling", "read_seed"]

_METHODS = ("sample", "beam", "greedy")
_SETTINGS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "beam_size",
    "length_penalty",
    "beam_groups",
    "diversity",
    "max_tokens",
    "min_tokens",
    "repetition_penalty",
    "no_repeat_ngram",
)
"""The settings that the page has, in the order of their values; for a beam the temperature is 1."""
_SLIDERS = {
    "temperature": (0.1, 2.0, 0.05),
    "top_p": (0.05, 1.0, 0.05),
    "beam_size": (1, 20, 1),
    "length_penalty": (0.0, 2.0, 0.1),
    "repetition_penalty": (1.0, 2.0, 0.05),
}
"""Least, greatest and step; the others are typed."""
_WHOLE = {name for name in _SETTINGS if isinstance(getattr(CHAT_SAMPLING, name), int)}
_LONGEST = 400  # tokens


PRESETS = {
    "lively": CHAT_SAMPLING,
    "safe": Sampling(temperature=0.5, top_p=0.8),
    "wild": Sampling(temperature=1.2, top_p=0.98),
    "likely": Sampling("beam", beam_size=5),
    "varied": Sampling("beam", beam_size=8, beam_groups=4, diversity=1.0),
}
"""Settings with a name, the first of which the page begins with; `controls.NAME` are the words on it."""

_OWN = "own"


def build_preset(name: str) -> Any:
    """Makes the choice among presets; `connect_preset` ties it to the controls."""
    choices = [(label(f"controls.{preset}"), preset) for preset in (*PRESETS, _OWN)]
    words = label("controls.preset")
    return gr.Dropdown(choices, value="lively", label=words, elem_id=f"{name}-preset", filterable=False)


def connect_preset(preset: Any, controls: list[Any]) -> None:
    """Lets a preset set the controls, and a control that is touched turn the preset to "own settings"."""
    settings = controls[: 1 + len(_SETTINGS)]

    def values_of(chosen: str) -> tuple[Any, ...]:
        sampling = PRESETS.get(chosen)
        if sampling is None:
            return (gr.skip(),) * len(settings)
        return (sampling.method, *(getattr(sampling, setting) for setting in _SETTINGS))

    quiet: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    preset.input(values_of, [preset], settings, **quiet)
    gr.on([control.input for control in settings], lambda: _OWN, None, preset, **quiet)


def build_sampling(name: str) -> list[Any]:
    """Makes the controls; `read_sampling` and `read_seed` take their values in this order."""
    made: dict[str, Any] = {}

    def row(*settings: str) -> None:
        with gr.Row():
            for setting in settings:
                made[setting] = _control(name, setting)

    method = gr.Radio(
        [(label(f"controls.{method}"), method) for method in _METHODS],
        value=CHAT_SAMPLING.method,
        label=label("controls.method"),
        elem_id=f"{name}-method",
    )
    with gr.Column(visible=CHAT_SAMPLING.method == "sample") as drawing:
        row("temperature", "top_p")
        row("top_k", "min_p")
    with gr.Column(visible=CHAT_SAMPLING.method == "beam") as searching:
        row("beam_size", "length_penalty")
        row("beam_groups", "diversity")
    with gr.Row():
        made["max_tokens"] = _control(name, "max_tokens")
        seed = gr.Number(
            1, precision=0, minimum=0, label=label("controls.seed"), elem_id=f"{name}-seed", min_width=90
        )
    fresh = gr.Checkbox(True, label=label("controls.fresh"), elem_id=f"{name}-fresh")
    with gr.Accordion(label("controls.more"), open=False, elem_id=f"{name}-more"):
        row("repetition_penalty")
        row("no_repeat_ngram", "min_tokens")
    method.change(
        lambda chosen: (gr.Column(visible=chosen == "sample"), gr.Column(visible=chosen == "beam")),
        [method],
        [drawing, searching],
        queue=False,
        api_visibility="private",
        show_progress="hidden",
    )
    return [method, *(made[setting] for setting in _SETTINGS), seed, fresh]


def _control(name: str, setting: str) -> Any:
    value, words = getattr(CHAT_SAMPLING, setting), label(f"controls.{setting}")
    place = f"{name}-{setting.replace('_', '-')}"
    if setting in _SLIDERS:
        least, greatest, step = _SLIDERS[setting]
        return gr.Slider(least, greatest, value, step=step, label=words, elem_id=place)
    precision = 0 if setting in _WHOLE else None
    return gr.Number(value, precision=precision, label=words, elem_id=place, min_width=90)


def read_sampling(values: tuple[Any, ...]) -> Sampling:
    """Returns the sampling that the controls' values name; those that the method does not read count as unset.

    Raises:
        UsageError: a value is missing or out of range.
    """
    method, *rest = values[: 1 + len(_SETTINGS)]
    chosen: dict[str, Any] = {}
    for setting, value in zip(_SETTINGS, rest, strict=True):
        if setting not in FIELDS_OF.get(method, ()) or (method, setting) == ("beam", "temperature"):
            continue
        if value is None:
            raise UsageError(f"{setting} is empty, but needs a number; type one, or reload the page")
        chosen[setting] = int(value) if setting in _WHOLE else float(value)
    if "max_tokens" in chosen:
        chosen["max_tokens"] = min(chosen["max_tokens"], _LONGEST)
    return Sampling(method, **chosen)


def read_seed(values: tuple[Any, ...]) -> int:
    """Returns the seed that the controls' values name, a new one if that is wished.

    Raises:
        UsageError: it is out of range.
    """
    seed, fresh = values[1 + len(_SETTINGS) :][:2]
    if fresh:
        return secrets.randbelow(2**31)
    if not 0 <= int(seed or 0) < 2**53:  # what the browser's numbers hold exactly
        raise UsageError(f"the seed is {seed}, but must be from 0 to {2**53 - 1}; type another")
    return int(seed or 0)
