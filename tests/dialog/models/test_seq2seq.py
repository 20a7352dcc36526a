"""What seq2seq alone promises: a flat context is read up to its limits, in turns and in tokens."""

import numpy as np
import pytest
import torch

from dialog.models.recent import join_turns, last_of
from dialog.text.batches import PAD, Window, collate
from tests.dialog.models.tiny import make_model

WORDS = [np.array(w, dtype=np.int32) for w in ([4, 5, 6], [7], [8, 9], [10, 11, 12], [13, 14])]
TARGETS = np.array([False] * 4 + [True])


def cost(model, words):
    return model.loss(collate([Window(words, TARGETS)]), torch.Generator()).nll


@pytest.mark.parametrize("limit", [1, 5, 12, 0])
def test_it_reads_exactly_the_last_tokens_of_its_context(limit) -> None:
    model = make_model("seq2seq", context_turns=4, max_context_tokens=limit)
    lengths = [len(w) + 1 for w in WORDS[:4]]
    for turn in range(4):
        for place in range(len(WORDS[turn])):
            others = [w.copy() for w in WORDS]
            others[turn][place] = 25
            from_end = sum(lengths[turn:]) - place
            changed = bool((cost(model, others) - cost(model, WORDS)).abs() > 1e-9)
            assert changed == (limit == 0 or from_end <= limit)


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_the_last_tokens_of_rows_of_all_lengths(limit) -> None:
    tokens = torch.tensor([[[4, 5, 3], [6, 3, 0]], [[7, 3, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
    lengths = torch.tensor([[3, 2], [2, 0], [0, 0]])
    kept = last_of(join_turns(tokens, lengths), limit)
    for row, whole in enumerate(([4, 5, 3, 6, 3], [7, 3], [])):
        wanted = whole[-limit:]
        assert kept.lengths[row] == len(wanted)
        assert kept.tokens[row].tolist() == wanted + [PAD] * (kept.tokens.shape[1] - len(wanted))
