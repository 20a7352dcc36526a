"""Where each token of a reply looks: its attention weights over what was said.

The weights are those that the model's `step` leaves in `DecoderState.attention` before each token; see
`docs/attention.md` for what the kinds and scopes are.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dialog.conversation import Conversation
from dialog.decoding.reading import joined_texts
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import reply_generator
from dialog.errors import UsageError
from dialog.evaluation.pictures.canvas import canvas, heat_map
from dialog.evaluation.pictures.names import token_names
from dialog.evaluation.text_scores import read_context
from dialog.evaluation.why.forced import step_through
from dialog.evaluation.why.places import name_places
from dialog.run_folder import Run
from dialog.text.batches import EOS

__all__ = ["Looks", "draw_looks", "looks_of"]


@dataclass(frozen=True, slots=True)
class Looks:
    """Attention weights of a reply.

    Attributes:
        rows: its tokens' names, the end token's last.
        columns: names of the tokens, or of the turns, that were looked at, the earliest first.
        weights: (row, column); each row sums to 1.
        starts: the columns that a turn begins at.
        text: of the reply.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    weights: NDArray[np.float64]
    starts: tuple[int, ...]
    text: str


@torch.inference_mode()
def looks_of(run: Run, conversation: Conversation, text: str | None, seed: int = 0) -> Looks:
    """Reads a conversation and steps through a reply.

    Args:
        run: of a model that answers.
        conversation: its last turn is answered.
        text: the reply; None for the most probable one, token by token.
        seed: of z, for a model with a latent variable.

    Raises:
        UsageError: the model answers nothing or looks at nothing, or there is no turn with words.
    """
    model, replier = run.model, Replier.from_run(run)
    state = read_context(model, run.tokenizer, conversation)
    if text is None:
        (reply,) = replier.reply(conversation, Sampling(method="greedy"), 1, seed)
        tokens, text = list(reply.tokens), reply.text
    else:
        tokens = [*run.tokenizer.encode(text), EOS]
    forced = step_through(model, model.plan(state, [reply_generator(seed, 0)]), tokens)
    if forced.weights is None:
        raise UsageError(
            f"{run.folder} is a run of {run.name} without attention: its replies look at nothing that could be "
            "drawn; train one with --set attention=additive or another kind"
        )
    places = name_places(model, run.tokenizer, joined_texts(conversation), forced.weights.shape[1])
    rows = tuple(token_names(run.tokenizer, tokens))
    return Looks(rows, places.names, forced.weights, places.starts, text)


def draw_looks(looks: Looks, path: Path) -> None:
    """Draws the weights, a row each token of the reply, a line between turns.

    Raises:
        UsageError: see `canvas`.
    """
    wide, high = 2.6 + 0.24 * len(looks.columns), 1.6 + 0.22 * len(looks.rows)
    with canvas(path, min(16.0, max(4.0, wide)), min(12.0, max(2.6, high))) as figure:
        axes = figure.subplots()
        heat_map(axes, looks.weights, looks.columns, looks.rows)
        axes.set_ylabel("reply")
        for start in looks.starts[1:]:
            axes.axvline(start - 0.5, color="white", linewidth=1.5)
