"""Each model learns eight conversations by heart and says them."""

import numpy as np
import pytest
import torch

from dialog.text.batches import Window, collate
from tests.dialog.models.tiny import NAMES, generators, greedy, make_model, random_windows, states_before


@pytest.mark.parametrize("name", NAMES)
def test_eight_conversations_are_learned_by_heart(name) -> None:
    model = make_model(name, torch.float32, embedding_size=24, hidden_size=48).train()
    with torch.no_grad():
        model.table.weight.mul_(0.25)
    windows = random_windows([4] * 8, seed=21)
    batch, optimizer = collate(windows), torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.1, 120)
    generator = torch.Generator().manual_seed(1)
    for _ in range(120):
        parts = model.loss(batch, generator)
        total = parts.nll.sum() + (0 if parts.kl is None else parts.kl.sum())
        optimizer.zero_grad()
        (total / parts.num_tokens.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    assert float(total.detach() / parts.num_tokens.sum()) < 0.1
    model.eval()
    for seed, window in enumerate(windows):
        for state, words in list(zip(states_before(model, window), window.utterances, strict=False))[1:]:
            assert greedy(model, model.plan(state, generators(1, seed)), 12) == words.tolist()


@pytest.mark.parametrize("name", ["hred", "vhred"])
def test_what_only_the_first_turn_tells_is_learned_by_a_model_that_knows_it_and_by_no_other(name) -> None:
    """Eight conversations that differ in their first turn and their reply three turns later alone."""
    middle = [np.array([5, 6], dtype=np.int32), np.array([7], dtype=np.int32)]
    targets = np.array([False, False, False, True])
    windows = [
        Window([np.array([10 + i], dtype=np.int32), *middle, np.array([20 + i], dtype=np.int32)], targets)
        for i in range(8)
    ]
    reached = {}
    for model_name in (name, "seq2seq"):
        model = make_model(model_name, torch.float32, hidden_size=32).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
        for _ in range(100):
            parts = model.loss(collate(windows), torch.Generator().manual_seed(1))
            total = parts.nll.sum() + (0 if parts.kl is None else parts.kl.sum())
            optimizer.zero_grad()
            total.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        reached[model_name] = float(total.detach() / 8)
    assert reached[name] < 0.3
    assert reached["seq2seq"] > np.log(8) - 0.05  # it cannot do better than to guess among the eight
