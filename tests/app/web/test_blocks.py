"""The page's Blocks send what Gradio's do, and make nothing for what is skipped."""

import asyncio
import copy
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from app.web.blocks import Page


@pytest.mark.parametrize(
    "values",
    [
        [gr.skip(), "said", gr.skip()],
        [gr.skip(), gr.skip(), gr.skip()],
        ("one", "two", gr.update(visible=False)),
        [gr.skip(), gr.update(value="other", label="named"), ""],
    ],
)
def test_what_is_sent_is_the_same_and_nothing_is_made_for_what_is_skipped(values) -> None:
    async def sent_by_both() -> tuple[Any, Any, list[bool]]:
        with Page() as page:
            boxes = [gr.Textbox(label=name) for name in "abc"]
            gr.Button().click(lambda: None, None, boxes)
        (event,) = page.fns.values()
        state = SessionState(page)
        # Gradio takes the values out of what it is given.
        ours = await page.postprocess_data(event, copy.deepcopy(values), state)
        theirs = await gr.Blocks.postprocess_data(page, event, copy.deepcopy(values), SessionState(page))
        return ours, theirs, [state[box._id] is not box for box in boxes]

    ours, theirs, made = asyncio.run(sent_by_both())
    assert ours == theirs
    assert made == [isinstance(value, dict) and value != gr.skip() for value in values]


@pytest.mark.parametrize(("value", "sent"), [(["one"], ["one"]), (gr.skip(), gr.skip())])
def test_one_output_alone_is_left_to_gradio(value, sent) -> None:
    async def sent_by_ours() -> Any:
        with Page() as page:
            box = gr.Dropdown(["one", "two"], multiselect=True)
            gr.Button().click(lambda: None, None, box)
        (event,) = page.fns.values()
        return await page.postprocess_data(event, value, SessionState(page))

    assert asyncio.run(sent_by_ours()) == [sent]
