"""Blocks that do little when nothing changes: outputs that are left, applications that are not served, empty queues."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.routes import App

__all__ = ["Page", "no_app_yet"]

_SKIPPED = gr.skip()


@contextlib.contextmanager
def no_app_yet() -> Iterator[None]:
    """Lets Blocks be built without the three applications that they make on the way and that nobody serves.

    FastAPI reads the signatures of all its routes for each, which holds up the start (`benchmarks/startup.py`).
    """
    app_class: Any = App
    create_app = vars(app_class)["create_app"]
    app_class.create_app = staticmethod(lambda *_, **__: None)
    try:
        yield
    finally:
        app_class.create_app = create_app


class Page(gr.Blocks):
    """Gradio's Blocks, cheaper where most outputs of an event are skipped, as with each piece of a reply.

    Gradio makes the component of a skipped output anew and writes down its settings, three quarters of a millisecond of
    processor time each, though nothing changes; with fifty replies at once that is most of what the server does.
    """

    def queue(self, *options: Any, **named: Any) -> "Page":
        """Does as Gradio's, but looks for events 100 times a second, not 1,000: that keeps a core busy for nothing."""
        super().queue(*options, **named)
        self._queue.sleep_when_free, self._queue.progress_update_sleep_when_free = 0.01, 0.1
        return self

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """Returns what the browser is sent for the values of an event's outputs."""
        is_several = isinstance(predictions, list | tuple) and 1 < len(predictions) == len(block_fn.outputs)
        if not is_several:
            return await super().postprocess_data(block_fn, predictions, state)
        changed = [place for place, value in enumerate(predictions) if not _is_skipped(value)]
        sent: list[Any] = [dict(_SKIPPED) for _ in predictions]
        if changed:
            some = copy.copy(block_fn)
            some.outputs = [block_fn.outputs[place] for place in changed]
            values = [predictions[place] for place in changed]
            # Gradio takes the values of one output alone as its value.
            made = await super().postprocess_data(some, values if len(values) > 1 else values[0], state)
            for place, value in zip(changed, made, strict=True):
                sent[place] = value
        return sent


def _is_skipped(value: Any) -> bool:
    return isinstance(value, dict) and value == _SKIPPED
