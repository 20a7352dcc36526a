"""Validation's replies: the same draw and seeds at each call, beside what people replied there."""

import dataclasses
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from dialog.decoding.replier import Replier
from dialog.decoding.replies import Reply
from dialog.models.base import ReplyModel
from dialog.models.registry import build_model
from dialog.text.tokenizer import Tokenizer, train_tokenizer
from dialog.training.samples import SAMPLING, SAYING_AGAIN, ReplySampler

TEXTS = [f"I have {number} cats and you?" for number in range(40)]


@dataclass
class Talk:
    utterances: list[np.ndarray]
    targets: np.ndarray


class Talks:
    """Conversations of five turns, of which the second, third and fifth are targets."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._rows = [np.array(tokenizer.encode(text), dtype=np.int32) for text in TEXTS]
        self.lengths = np.array([len(row) for row in self._rows], dtype=np.int32)
        self.offsets = np.arange(0, 41, 5, dtype=np.int64)
        self.targets = np.tile([False, True, True, False, True], 8)

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Talk:
        turns = slice(5 * index, 5 * index + 5)
        return Talk(self._rows[turns], self.targets[turns])


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train_tokenizer(TEXTS, 290))


@pytest.fixture(scope="module")
def model(tokenizer) -> ReplyModel:
    torch.manual_seed(2)
    return build_model("hred", {"vocab_size": tokenizer.num_tokens, "embedding_size": 6, "hidden_size": 8})


def test_the_same_model_gives_the_same_and_keeps_its_mode(tokenizer, model) -> None:
    sampler = ReplySampler(tokenizer, Talks(tokenizer), 3, 10)
    model.train()
    first = sampler.sample(model)
    assert model.training
    model.eval()
    assert sampler.sample(model) == first == ReplySampler(tokenizer, Talks(tokenizer), 3, 10).sample(model)
    assert not model.training
    assert ReplySampler(tokenizer, Talks(tokenizer), 3, 10, seed=2).sample(model).shown != first.shown
    with torch.no_grad():
        model.get_parameter(next(iter(dict(model.named_parameters())))).add_(1.0)
    assert sampler.sample(model).shown != first.shown


def test_contexts_are_the_three_turns_before_a_target(tokenizer, model) -> None:
    wanted = set()
    for start in range(0, 40, 5):
        wanted |= {tuple(TEXTS[max(start, at - 3) : at]) for at in (start + 1, start + 2, start + 4)}
    shown = ReplySampler(tokenizer, Talks(tokenizer), 99, 0).sample(model).shown
    assert len(shown) == len(wanted) == 24
    assert {tuple(sample["context"]) for sample in shown} == wanted
    assert all(isinstance(sample["reply"], str) for sample in shown)


@pytest.mark.parametrize(("shown", "measured"), [(0, 0), (2, 0), (0, 7), (9, 4), (4, 9), (99, 99)])
def test_so_many_are_shown_and_so_many_measured(tokenizer, model, shown, measured) -> None:
    found = ReplySampler(tokenizer, Talks(tokenizer), shown, measured).sample(model)
    assert len(found.shown) == min(shown, 24)
    if measured:
        assert found.model is not None and found.people is not None
        assert found.model.num_replies == found.people.num_replies == min(measured, 24)
    else:
        assert found.model is found.people is None


def test_people_are_measured_by_what_they_said_cut_as_the_model_is(tokenizer, model) -> None:
    found = ReplySampler(tokenizer, Talks(tokenizer), 0, 24).sample(model).people
    said = [tokenizer.encode(text) for at, text in enumerate(TEXTS) if at % 5 in (1, 2, 4)]
    assert found is not None
    assert found.mean_length == pytest.approx(sum(map(len, said)) / 24)
    assert found.distinct_1 == len({token for row in said for token in row}) / sum(map(len, said))
    assert found.top_share == 1 / 24
    two = dataclasses.replace(SAMPLING, max_tokens=2)
    cut = ReplySampler(tokenizer, Talks(tokenizer), 0, 24, sampling=two).sample(model)
    assert cut.people is not None and cut.model is not None
    assert cut.people.mean_length == 2.0
    assert cut.model.mean_length <= 2.0


def test_what_the_log_holds_of_it_is_json(tokenizer, model) -> None:
    found = ReplySampler(tokenizer, Talks(tokenizer), 1, 5).sample(model).to_json()
    assert json.loads(json.dumps(found)) == found
    assert found.keys() == {"samples", "replies", "people_replies", "said_again_exactly"}
    assert found["said_again_exactly"] is None


@pytest.mark.parametrize(("shown", "measured"), [(3, 24), (24, 0)])
def test_an_autoencoder_is_given_what_people_replied_and_is_not_measured_as_replies_are(
    tokenizer, monkeypatch, shown, measured
) -> None:
    """One that says every text as it is, but for its 1s."""
    torch.manual_seed(2)
    model = build_model("autoencoder", {"vocab_size": tokenizer.num_tokens, "hidden_size": 8})
    sampler = ReplySampler(tokenizer, Talks(tokenizer), shown, measured, says_again=True)
    given: list[str] = []

    def say(self, conversations, sampling, seed):
        assert sampling == SAYING_AGAIN and all(len(one.turns) == 1 for one in conversations)
        given.extend(one.turns[0].text for one in conversations)
        texts = [one.turns[0].text.replace("1", "2") for one in conversations]
        return [[Reply(text, (), "end", 0.0, 0.0, None, 0, 0, sampling, "", "")] for text in texts]

    monkeypatch.setattr(Replier, "reply_all", say)
    found = sampler.sample(model)
    targets = {text for at, text in enumerate(TEXTS) if at % 5 in (1, 2, 4)}
    assert set(given) == targets and len(given) == 24
    assert found.model is found.people is None
    assert [one["utterance"] for one in found.shown] == given[:shown]
    assert all(one["said_again"] == one["utterance"].replace("1", "2") for one in found.shown)
    exactly = sum("1" not in text for text in targets) / 24
    assert found.said_again_exactly == (pytest.approx(exactly) if measured else None)
