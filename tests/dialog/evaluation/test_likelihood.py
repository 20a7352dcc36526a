"""The likelihood of a split is that of `start`, `observe`, `plan` and `score`, however it is cut into windows."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from dialog.evaluation.likelihood import evaluate_likelihood
from dialog.models.base import ReplyModel
from dialog.models.registry import MODELS, build_model, model_class
from dialog.text.batches import utterances_of


@dataclass
class Talk:
    utterances: list[np.ndarray]
    targets: np.ndarray


class Talks:
    """A split in memory: conversations of 2 to 23 turns, some turns longer than models read."""

    def __init__(
        self, turns: tuple[int, ...] = (2, 9, 23, 4), every_target: bool = True, seed: int = 3
    ) -> None:
        draw = np.random.default_rng(seed)
        self.lengths = draw.integers(1, 12, sum(turns)).astype(np.int32)
        self.offsets = np.concatenate([[0], np.cumsum(turns)]).astype(np.int64)
        self.targets = np.ones(sum(turns), bool) if every_target else draw.random(sum(turns)) < 0.5
        self.targets[self.offsets[:-1]] = False
        self._rows = [draw.integers(4, 30, n).astype(np.int32) for n in self.lengths]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Talk:
        turns = slice(self.offsets[index], self.offsets[index + 1])
        return Talk(self._rows[turns], self.targets[turns])


@pytest.fixture(params=list(MODELS))
def model(request) -> ReplyModel:
    torch.manual_seed(1)
    sizes = {"vocab_size": 30, "embedding_size": 8, "hidden_size": 8, "max_utterance_tokens": 7}
    fields = model_class(request.param).config_class.__dataclass_fields__
    return build_model(
        request.param, {size: value for size, value in sizes.items() if size in fields}
    ).double()


def by_promises(model: ReplyModel, split: Talks) -> float:
    """NLL of every target, one by one; only for models without a latent variable."""
    model.eval()
    total = 0.0
    with torch.no_grad():
        for number in range(len(split)):
            state, talk = model.start(1), split[number]
            for tokens, is_target in zip(talk.utterances, talk.targets, strict=True):
                utterance = utterances_of([tokens])
                if is_target:
                    total -= model.score(model.plan(state, [torch.Generator()]), utterance).sum().item()
                state = model.observe(state, utterance)
    return total


EXACT = ["seq2seq", "hred", "transformer", "window"]  # VHRED's is a bound: see below


@pytest.mark.parametrize("model", EXACT, indirect=True)
@pytest.mark.parametrize("every_target", [True, False])
def test_it_is_what_the_promises_give(model, every_target) -> None:
    split = Talks(every_target=every_target)
    for window_turns in (128, 7, 3, 2):
        found = evaluate_likelihood(model, split, window_turns=window_turns)
        assert found.nll == pytest.approx(by_promises(model, split), abs=1e-9)
        assert found.num_replies == split.targets.sum()
        assert found.num_tokens == (split.lengths[split.targets] + 1).sum()  # none is cut, ends count
        assert found.kl is None
        assert found.nats_per_token == pytest.approx(found.nll / found.num_tokens)


def test_the_kl_is_of_all_replies_however_windows_are_cut() -> None:
    torch.manual_seed(1)
    model = build_model("vhred", {"vocab_size": 30, "embedding_size": 6, "hidden_size": 8}).double()
    split = Talks()
    whole, cut = (evaluate_likelihood(model, split, window_turns=turns) for turns in (128, 3))
    # The raw KL does not depend on samples, and is there in full whatever weight training uses.
    assert cut.kl == pytest.approx(whole.kl, abs=1e-9)
    assert whole.kl > 0
    assert whole.nats_per_token == pytest.approx((whole.nll + whole.kl) / whole.num_tokens)
    assert whole.kl_per_reply == pytest.approx(whole.kl / whole.num_replies)
    assert whole.perplexity == pytest.approx(math.exp(whole.nats_per_token))
    again, other = (evaluate_likelihood(model, split, seed=seed) for seed in (0, 1))
    assert again == whole
    assert other.nll != whole.nll


def test_it_leaves_the_model_as_it_was_and_uses_no_dropout(model) -> None:
    split = Talks()
    model.train()
    first, second = evaluate_likelihood(model, split), evaluate_likelihood(model, split)
    assert first == second
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    model.eval()
    evaluate_likelihood(model, split)
    assert not model.training


def test_a_quick_look_is_the_first_conversations(model) -> None:
    split, told = Talks(), []
    found = evaluate_likelihood(model, split, max_conversations=2, progress=told.append)
    only = evaluate_likelihood(model, Talks(turns=(2, 9)), max_conversations=None)
    assert (found.num_conversations, found.num_replies) == (2, 9)
    assert found.num_replies == only.num_replies
    assert sum(told) == 2
