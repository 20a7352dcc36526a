"""The dull-reply alarm: it rings for models that are dull, and for nothing that people say."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dialog.corpus.tokenized import TokenizedCorpus
from dialog.evaluation.diversity import Diversity, measure_diversity
from dialog.models.registry import build_model
from dialog.run_folder import load_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer
from dialog.training.config import TrainingConfig
from dialog.training.dullness import dullness_warnings
from dialog.training.monitor import Monitor
from dialog.training.samples import SAMPLING, ReplySampler
from dialog.training.trainer import Trainer, TrainingJob

ROOT = Path(__file__).resolve().parents[3]
PEOPLE = Diversity(200, 0.01, "yes.", 0.30, 0.80, 14.0)
HEALTHY = Diversity(200, 0.02, "I see.", 0.18, 0.55, 11.0)


def measured(replies: list[list[int]]) -> Diversity:
    return measure_diversity(replies, [" ".join(map(str, reply)) for reply in replies])


@given(
    st.lists(st.lists(st.integers(4, 30), min_size=1, max_size=9), min_size=1, max_size=60), st.integers(0, 3)
)
def test_people_never_are_dull(replies, times) -> None:
    own = measured(replies)
    assert dullness_warnings(own, own, [own] * times, is_latent=False) == []


@given(st.integers(1, 80), st.lists(st.integers(4, 30), min_size=1, max_size=9))
def test_one_answer_to_everything_always_is(count, answer) -> None:
    draw = np.random.default_rng(count)
    people = measured([draw.integers(4, 400, 9).tolist() for _ in range(count)])
    found = dullness_warnings(measured([answer] * count), people, [], is_latent=False)
    assert len(found) == (count >= 20)  # a handful says nothing
    assert all("100% of" in warning and "\n" not in warning for warning in found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"top_share": 0.08}, "8% of 200 sampled replies are “I see.” (people's most frequent: 1%)"),
        ({"distinct_1": 0.11}, "distinct-1 is 0.110 (people's 0.300)"),
        ({"distinct_2": 0.31}, "distinct-2 is 0.310 (people's 0.800)"),
        ({"mean_length": 6.9}, "mean length in tokens is 6.9 (people's 14.0)"),
    ],
)
def test_each_figure_is_held_against_peoples(change, words) -> None:
    assert dullness_warnings(HEALTHY, PEOPLE, [], is_latent=False) == []
    (found,) = dullness_warnings(dataclasses.replace(HEALTHY, **change), PEOPLE, [], is_latent=False)
    assert words in found
    assert "What to turn" in found
    assert found.count(";") == 4  # one sign alone, and the advice


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"distinct_1": 0.125}, "distinct-1 has fallen from 0.180 to 0.125"),
        ({"distinct_2": 0.38}, "distinct-2 has fallen from 0.550 to 0.380"),
        ({"mean_length": 6.5}, "mean length in tokens has fallen from 11.0 to 6.5"),
        ({"top_share": 0.28}, "28% of 200 sampled replies are “I see.”, risen from 2%"),
    ],
)
def test_each_figure_is_held_against_earlier_validations(change, words) -> None:
    people = dataclasses.replace(PEOPLE, top_share=0.15, distinct_1=0.3, mean_length=12.0)
    now = dataclasses.replace(HEALTHY, **change)
    assert dullness_warnings(now, people, [], is_latent=False) == []
    (found,) = dullness_warnings(now, people, [now, HEALTHY, now], is_latent=False)
    assert words in found


def test_a_model_that_has_stopped_to_babble_has_not_become_dull() -> None:
    babble = Diversity(200, 0.005, "pe music for", 0.45, 0.95, 35.0)
    assert dullness_warnings(HEALTHY, PEOPLE, [babble] * 3, is_latent=False) == []


def test_advice_knows_the_model_and_nothing_measured_says_nothing() -> None:
    dull = dataclasses.replace(HEALTHY, distinct_1=0.01, top_reply="I do not know. " * 9)
    (latent,), (other,) = (dullness_warnings(dull, PEOPLE, [], is_latent=value) for value in (True, False))
    assert "free_bits" in latent and "free_bits" not in other
    assert "--model vhred" in other and "--model vhred" not in latent
    assert dullness_warnings(None, None, [HEALTHY], is_latent=True) == []


@dataclasses.dataclass
class Talk:
    utterances: list[np.ndarray]
    targets: np.ndarray


class Talks:
    """Thirty conversations of two turns: a question, and an answer that is given or its own."""

    def __init__(self, tokenizer: Tokenizer, answer: str | None) -> None:
        texts = [
            text
            for number in range(30)
            for text in (f"how many cats, {number}?", answer or f"{number} cats and {3 * number} dogs")
        ]
        self._rows = [np.array(tokenizer.encode(text), dtype=np.int32) for text in texts]
        self.lengths = np.array([len(row) for row in self._rows], dtype=np.int32)
        self.offsets = np.arange(0, 61, 2, dtype=np.int64)
        self.targets = np.arange(60) % 2 > 0

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> Talk:
        turns = slice(2 * index, 2 * index + 2)
        return Talk(self._rows[turns], self.targets[turns])


class Listener:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def started(self, loader: Any, progress: Any) -> None: ...

    def updated(self, progress: Any, metrics: Any) -> None: ...

    def validated(self, metrics: Any) -> None:
        self.seen.append(metrics)


def test_a_model_that_learns_one_answer_sets_it_off_and_a_resume_remembers(tmp_path) -> None:
    texts = [f"how many cats, {n}? {n} cats and dogs I do not know." for n in range(99)]
    tokenizer = Tokenizer(train_tokenizer(texts, 290))
    torch.manual_seed(1)
    sizes = {"vocab_size": tokenizer.num_tokens, "embedding_size": 64, "hidden_size": 64}
    model, people = build_model("seq2seq", sizes), Talks(tokenizer, None)
    config = TrainingConfig.from_json(
        {"warmup_updates": 0, "learning_rate": 0.01, "validate_every": 60, "sample_replies": 1}
    )
    train = Talks(tokenizer, "I do not know.")
    job = TrainingJob(tmp_path, model, tokenizer, train, people, config, {}, max_updates=60)
    listener = Listener()
    Trainer(job, listener).run()
    Trainer(dataclasses.replace(job, resume=True, max_updates=70), listener).run()
    path = tmp_path / "metrics.jsonl"
    lines = [line for line in map(json.loads, path.read_bytes().splitlines()) if line["split"] == "valid"]
    assert [line["update"] for line in lines] == [60, 70]
    assert [line["warnings"] for line in lines] == [seen["warnings"] for seen in listener.seen]
    for line in lines:
        assert Diversity(**line["replies"]).num_replies == 30
        assert line["people_replies"]["top_share"] == pytest.approx(1 / 30)
        (warning,) = line["warnings"]
        assert "100% of 30 sampled replies are “I do not know.”" in warning
        assert "fallen" not in warning
    people_1 = lines[0]["people_replies"]["distinct_1"]
    lines[0]["replies"]["distinct_1"] = people_1  # had it ever been as people's, this would be a fall
    path.write_text(json.dumps(lines[0]))
    (warning,) = Monitor(tmp_path, tokenizer, people, config).look(model, update=1)["warnings"]
    assert f"distinct-1 has fallen from {people_1:.3f} to 0.0" in warning


@pytest.mark.parametrize("name", ["seq2seq", "hred", "vhred"])
def test_shipped_models_are_healthy_as_they_chat_and_dull_by_greedy_decoding(name) -> None:
    """VHRED's latent variable varies what greedy decoding says: it stays at the limit's edge."""
    folder = ROOT / "runs" / "corpora" / "self_dialogue"
    if not (folder / "corpus.json").exists():
        pytest.skip("the corpus that the shipped models were trained on is not prepared here")
    run, corpus = load_run(ROOT / "data" / "models" / name), TokenizedCorpus.open(folder)
    for method in ("sample", "greedy")[: 1 if name == "vhred" else 2]:
        sampling = dataclasses.replace(SAMPLING, method=method)
        sampler = ReplySampler(corpus.tokenizer, corpus.split("valid"), 0, 100, sampling=sampling)
        found = sampler.sample(run.model)
        warnings = dullness_warnings(found.model, found.people, [], run.model.is_latent)
        assert len(warnings) == (method == "greedy"), warnings
