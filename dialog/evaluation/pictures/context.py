"""How the state of the context RNN moves from turn to turn.

likeness of turns m and n:  c_m · c_n / (|c_m| |c_n|),   movement at turn n:  |c_n - c_{n-1}| / |c_n|
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dialog.conversation import Conversation
from dialog.decoding.reading import joined_texts
from dialog.errors import UsageError
from dialog.evaluation.pictures.canvas import canvas, heat_map
from dialog.evaluation.pictures.names import shortened
from dialog.models.hierarchy import HierarchicalState
from dialog.run_folder import Run
from dialog.text.batches import utterances_of

__all__ = ["Course", "course_of", "draw_course"]


@dataclass(frozen=True, slots=True)
class Course:
    """Context states of a conversation.

    Attributes:
        turns: texts.
        states: (turn, context), c_n after each turn.
    """

    turns: tuple[str, ...]
    states: NDArray[np.float64]

    @property
    def likeness(self) -> NDArray[np.float64]:
        """(turn, turn), the cosine of each two states."""
        unit = self.states / np.linalg.norm(self.states, axis=1, keepdims=True)
        found: NDArray[np.float64] = unit @ unit.T
        return found

    @property
    def movement(self) -> NDArray[np.float64]:
        """(turn,), how far each turn moved the state, as a share of the new one's length."""
        before = np.concatenate([np.zeros_like(self.states[:1]), self.states[:-1]])
        lengths = np.linalg.norm(self.states, axis=1)
        found: NDArray[np.float64] = np.linalg.norm(self.states - before, axis=1) / lengths
        return found


@torch.inference_mode()
def course_of(run: Run, conversation: Conversation) -> Course:
    """Reads a conversation turn by turn.

    Raises:
        UsageError: the model has no context RNN whose state goes on from turn to turn, or no turn has words.
    """
    texts = joined_texts(conversation)
    if not texts:
        raise UsageError("no turn has words; give the turns of a conversation by --context")
    state = run.model.start(1)
    if not isinstance(state, HierarchicalState):
        raise UsageError(
            f"{run.folder} is a run of {run.name}, which keeps no context state from turn to turn; draw a run of "
            "hred or vhred"
        )
    states = []
    for tokens in run.tokenizer.encode_all(texts):
        state = run.model.observe(state, utterances_of([tokens]))
        assert isinstance(state, HierarchicalState)
        states.append(state.context[0].double().numpy())
    return Course(tuple(texts), np.stack(states))


def draw_course(course: Course, path: Path) -> None:
    """Draws how alike the states are, and how far each turn moved them.

    Raises:
        UsageError: see `canvas`.
    """
    names = _numbered(course.turns)
    with canvas(path, 10.4, max(3.2, 1.6 + 0.36 * len(names))) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
        numbers = [str(number) for number in range(1, len(names) + 1)]
        heat_map(left, course.likeness, numbers, names, lowest=min(0.0, float(course.likeness.min())))
        left.tick_params(axis="x", rotation=0)
        left.set_title("cosine of the context states after two turns")
        right.barh(range(len(names)), course.movement)
        right.set_yticks(range(len(names)), numbers)
        right.invert_yaxis()
        right.set_title("how far the turn moved the state")
        right.grid(axis="x", alpha=0.3)


def _numbered(turns: Sequence[str]) -> list[str]:
    return [f"{shortened(text)}  {number}" for number, text in enumerate(turns, 1)]
