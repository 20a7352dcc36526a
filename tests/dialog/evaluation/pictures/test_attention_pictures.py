"""Weights that are drawn are those of the model, under the names of what was said."""

import numpy as np
import pytest
import torch

from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.errors import UsageError
from dialog.evaluation.pictures.attention import Looks, draw_looks, looks_of
from dialog.evaluation.text_scores import read_context
from dialog.text.batches import EOS, utterances_of
from tests.dialog.evaluation.pictures.runs import TOKENIZER, conversation, run_of
from tests.dialog.models.family import ATTENTION_MEMBERS, SCOPE_MEMBERS

TALK = conversation("hello, how are you?", "are you number 3?", "number")
FLAT = {name: member for name, member in ATTENTION_MEMBERS.items() if member["attention"] != "none"}
CASES = [
    *(("seq2seq", member) for member in FLAT.values()),
    ("seq2seq", {"context_turns": 2, "max_context_tokens": 64}),
    ("seq2seq", {"decoder_layers": 2, "attention_from": "bottom"}),
    *(("hred", member) for member in SCOPE_MEMBERS.values()),
    ("vhred", {"attention_turns": 2}),
    ("vhcr", {}),
    ("transformer", {"embedding_size": 8, "feedforward_size": 8, "heads": 2, "max_context_tokens": 64}),
]


def said(*texts: str) -> list[list[int]]:
    return [[*tokens, EOS] for tokens in TOKENIZER.encode_all(texts)]


@pytest.mark.parametrize(("name", "settings"), CASES, ids=str)
def test_they_sum_to_1_over_what_the_settings_say(name, settings) -> None:
    run = run_of(name, **settings)
    found = looks_of(run, TALK, "number 7")
    assert found.weights.shape == (len(found.rows), len(found.columns))
    np.testing.assert_allclose(found.weights.sum(1), 1, atol=1e-6)
    assert found.rows[-1] == "(end)"
    kept = run.model.config.to_json()
    turns = [turn.text for turn in TALK.turns][-kept.get("attention_turns", kept.get("context_turns", 1)) :]
    if kept.get("attention_over") == "turns":
        assert found.columns == tuple(turns)
    else:
        lengths = [len(tokens) for tokens in said(*turns)]
        assert len(found.columns) == sum(lengths)
        assert found.starts == tuple(np.cumsum([0, *lengths[:-1]]))
        ends = [*found.starts[1:], len(found.columns)]
        assert {found.columns[end - 1] for end in ends} == {"(end)"}


@torch.inference_mode()
@pytest.mark.parametrize("scope", ["tokens", "turns", "tokens_then_turns"])
def test_they_are_those_of_teacher_forcing(scope) -> None:
    run = run_of("hred", attention_over=scope, attention_turns=3)
    seen = []
    hook = run.model.decoder.attention.register_forward_hook(lambda _, __, out: seen.append(out.weights))
    (reply,) = said("number 7")
    state = run.model.plan(read_context(run.model, TOKENIZER, TALK), [torch.Generator()])
    run.model.score(state, utterances_of([reply[:-1]]))
    hook.remove()
    mask = seen[0][0].flatten(1).sum(0) > 0
    wanted = seen[0][0].flatten(1)[:, mask].numpy()
    np.testing.assert_allclose(looks_of(run, TALK, "number 7").weights, wanted, atol=1e-6)


def test_a_long_turn_is_named_as_far_as_it_is_read() -> None:
    found = looks_of(run_of("hred", max_utterance_tokens=3), TALK, "number")
    assert found.columns == looks_of(run_of("hred"), TALK, "number").columns[:3]


def test_the_last_of_a_context_that_is_cut_are_named() -> None:
    sizes = {"embedding_size": 8, "feedforward_size": 8, "heads": 2}
    whole = looks_of(run_of("transformer", max_context_tokens=64, **sizes), TALK, "number").columns
    assert (
        looks_of(run_of("transformer", max_context_tokens=5, **sizes), TALK, "number").columns == whole[-5:]
    )


@pytest.mark.parametrize("name", ["seq2seq", "vhred"])
def test_unasked_the_reply_is_the_greedy_one_of_the_seed(name) -> None:
    run = run_of(name)
    for seed in (0, 1):
        (wanted,) = Replier.from_run(run).reply(TALK, Sampling(method="greedy"), 1, seed)
        assert looks_of(run, TALK, None, seed).text == wanted.text


@pytest.mark.parametrize(("name", "settings"), [("hred", {"attention": "none"}), ("window", {})])
def test_a_run_that_looks_at_nothing_says_so(name, settings) -> None:
    with pytest.raises(UsageError, match="without attention"):
        looks_of(run_of(name, **settings), TALK, "number")


def test_a_run_that_answers_nothing_and_a_context_without_words_are_refused() -> None:
    with pytest.raises(UsageError, match="answers nothing"):
        looks_of(run_of("lm"), TALK, None)
    with pytest.raises(UsageError, match="no text to answer"):
        looks_of(run_of("hred"), conversation(" "), "number")


def test_it_is_drawn_with_its_names(tmp_path) -> None:
    looks = Looks(("x", "(end)"), ("one", "two", "three"), np.full((2, 3), 1 / 3), (0, 2), "x")
    draw_looks(looks, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert all(f">{name}</text>" in text for name in (*looks.rows, *looks.columns))
