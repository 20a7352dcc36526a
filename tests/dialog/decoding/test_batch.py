"""Replies that join and leave a batch at any token are those that they are alone; one row alone, too."""

import random

import numpy as np
import pytest
import torch

from dialog.decoding.batch import DecodingBatch
from dialog.decoding.draft import Draft
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import History, reply_generator
from dialog.decoding.single_row import single_row_of
from dialog.models.base import DecoderState
from dialog.text.batches import BOS, utterances_of
from tests.dialog.models.tiny import ALL, NAMES, REREADERS, generators, make_model, random_words

ASKED = [
    Sampling(temperature=1.2, max_tokens=14),
    Sampling("greedy", max_tokens=9),
    Sampling(top_p=0.9, min_p=0.02, max_tokens=11),
    Sampling(top_k=7, repetition_penalty=1.3, no_repeat_ngram=2, min_tokens=4, max_tokens=12),
    Sampling("beam", beam_size=4, beam_groups=2, max_tokens=8),
]


def batch_of(model) -> DecodingBatch:
    return DecodingBatch(model, lambda: single_row_of(model))


def draft(index: int) -> Draft:
    asked = ASKED[index % len(ASKED)]
    return Draft(History.of(asked, reply_generator(3, index)), 3, index, "")


def planned(model, index: int) -> DecoderState:
    state, words = model.start(1), np.random.default_rng(index)
    for _ in range(index % 3 + 1):
        state = model.observe(state, utterances_of([random_words(words, 5 + index % 7)]))
    return model.plan(state, generators(1, index))


def alone(model, index: int, may_be_alone: bool = True) -> Draft:
    batch = DecodingBatch(model, lambda: single_row_of(model) if may_be_alone else None)
    own = draft(index)
    batch.join([own], planned(model, index))
    assert list(batch.run()) == [own]
    return own


@pytest.fixture(scope="module", params=ALL)
def model(request):
    return make_model(request.param, torch.float32, layers=2)


def test_replies_that_join_at_any_token_are_those_that_they_are_alone(model) -> None:
    with torch.inference_mode():
        count, draw = 24, random.Random(1)
        waiting, ended, batch = [draft(index) for index in range(count)], [], batch_of(model)
        widths = set()
        while waiting or len(batch):
            for _ in range(draw.choice([0, 0, 1, 4]) if len(batch) else 1):
                if waiting:
                    own = waiting.pop(0)
                    batch.join([own], planned(model, own.index))
            widths.add(len(batch))
            ended += batch.step()
        assert {own.index for own in ended} == set(range(count))
        assert max(widths) > 7
        assert 1 in widths
        for own in ended:
            single = alone(model, own.index)
            assert own.tokens == single.tokens
            assert own.ended == single.ended
            assert own.log_probability == pytest.approx(single.log_probability, abs=1e-4)
            assert own.filtered_log_probability == pytest.approx(single.filtered_log_probability, abs=1e-4)


def test_what_leaves_changes_nothing_for_the_others(model) -> None:
    with torch.inference_mode():
        drafts, batch = [draft(index) for index in range(6)], batch_of(model)
        for own in drafts:
            batch.join([own], planned(model, own.index))
        ended = [*batch.step(), *batch.step()]
        gone = [own for own in drafts if own.ended is None][:2]
        batch.leave(gone)
        ended += list(batch.run())
        assert {own.index for own in ended} == {own.index for own in drafts} - {own.index for own in gone}
        assert all(own.tokens == alone(model, own.index).tokens for own in ended)
        assert all(len(own.tokens) == 2 and own.ended == "stop" for own in gone)


def test_a_batch_may_run_empty_and_fill_again(model) -> None:
    with torch.inference_mode():
        batch = batch_of(model)
        for index in (2, 5):
            own = draft(index)
            batch.join([own], planned(model, index))
            assert list(batch.run()) == [own]
            assert own.tokens == alone(model, index).tokens
        assert len(batch) == 0
        assert list(batch.run()) == []


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("has_context", [True, False])
def test_a_single_row_gives_the_logits_of_step(name, layers, has_context) -> None:
    model = make_model(name, torch.float32, layers=layers)
    weights = single_row_of(model)
    assert weights is not None
    with torch.inference_mode():
        context = planned(model, 4) if has_context else model.plan(model.start(1), generators(1))
        padded = type(context).concat([context, planned(model, 6)]).select([0])
        for state in (context, padded):
            row, token = weights.begin(state), BOS
            for time in range(12):
                logits, state = model.step(torch.tensor([token]), state)
                found = row.step(token)
                np.testing.assert_allclose(found, logits[0].numpy(), atol=1e-5)
                if time == 5:  # over to the model and back
                    row = weights.begin(row.state())
                token = 4 + (7 * time) % 20
            torch.testing.assert_close(row.state().hidden, state.hidden, atol=1e-5, rtol=0)
            torch.testing.assert_close(row.state().attention, state.attention, atol=1e-5, rtol=0)


def test_other_precisions_and_models_are_stepped_by_torch() -> None:
    assert single_row_of(make_model("hred", torch.float64)) is None
    assert [single_row_of(make_model(name, torch.float32)) for name in REREADERS] == [None, None]
    model = make_model("hred", torch.float32)
    with torch.inference_mode():
        assert alone(model, 1).tokens == alone(model, 1, may_be_alone=False).tokens
