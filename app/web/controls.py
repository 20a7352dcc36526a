"""The sampling controls that both tabs have."""

import secrets
from typing import Any

import gradio as gr

from dialog.decoding.replies import CHAT_SAMPLING, Sampling
from dialog.errors import UsageError

__all__ = ["build_sampling", "new_id", "read_sampling", "read_seed"]


def new_id() -> str:
    """Returns an id for the next message; the page holds it until the message is stored.

    A request that is sent twice carries the same id twice, and the store keeps one message.
    """
    return secrets.token_hex(16)


def build_sampling(name: str) -> list[Any]:
    """Makes the controls; `read_sampling` and `read_seed` take their values in this order."""
    default = CHAT_SAMPLING
    method = gr.Radio(
        [("draw each token", "sample"), ("always the most probable token", "greedy")],
        value=default.method,
        label="How a reply is chosen",
        elem_id=f"{name}-method",
    )
    with gr.Row():
        temperature = gr.Slider(
            0.1, 2.0, default.temperature, step=0.05, label="Temperature", elem_id=f"{name}-temperature"
        )
        top_p = gr.Slider(0.05, 1.0, default.top_p, step=0.05, label="Top-p", elem_id=f"{name}-top-p")
    with gr.Row():
        top_k = gr.Number(
            default.top_k, precision=0, minimum=0, label="Top-k (0: off)", elem_id=f"{name}-top-k"
        )
        max_tokens = gr.Number(
            default.max_tokens,
            precision=0,
            minimum=1,
            maximum=400,
            label="Longest reply, tokens",
            elem_id=f"{name}-max-tokens",
        )
    with gr.Row():
        seed = gr.Number(1, precision=0, minimum=0, label="Seed", elem_id=f"{name}-seed")
        fresh = gr.Checkbox(True, label="New seed each time", elem_id=f"{name}-fresh")
    return [method, temperature, top_p, top_k, max_tokens, seed, fresh]


def read_sampling(values: tuple[Any, ...]) -> Sampling:
    """Returns the sampling that the controls' values name.

    Raises:
        UsageError: a value is out of range.
    """
    method, temperature, top_p, top_k, max_tokens = values[:5]
    if temperature is None or top_p is None:
        raise UsageError(
            "temperature and top-p need a number each; type one, or reload the page for the defaults"
        )
    return Sampling(
        method, float(temperature), int(top_k or 0), float(top_p), max_tokens=min(int(max_tokens or 1), 400)
    )


def read_seed(values: tuple[Any, ...]) -> int:
    """Returns the seed that the controls' values name, a new one if that is wished.

    Raises:
        UsageError: it is out of range.
    """
    seed, fresh = values[5:7]
    if fresh:
        return secrets.randbelow(2**31)
    if not 0 <= int(seed or 0) < 2**53:  # what the browser's numbers hold exactly
        raise UsageError(f"the seed is {seed}, but must be from 0 to {2**53 - 1}; type another")
    return int(seed or 0)
