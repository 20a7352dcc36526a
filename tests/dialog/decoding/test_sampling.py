"""Filters against their definition, and draws against the distribution that they are drawn from."""

import math
from collections.abc import Sequence
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from dialog.decoding import sampling as module
from dialog.decoding.history import blocked_tokens
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import History, SamplingRows, next_token, next_tokens, reply_generator
from dialog.errors import UsageError
from dialog.text.batches import BOS, EOS, PAD, UNK

SIZE = 12
CPU = torch.device("cpu")
samplings = st.builds(
    Sampling,
    method=st.sampled_from(["sample", "sample", "greedy"]),
    temperature=st.floats(0.1, 5.0),
    top_k=st.integers(0, 15),
    top_p=st.one_of(st.just(1.0), st.floats(0.01, 1.0)),
    min_p=st.one_of(st.just(0.0), st.floats(0.0, 0.9)),
    repetition_penalty=st.sampled_from([1.0, 1.0, 1.5]),
    no_repeat_ngram=st.integers(0, 3),
    min_tokens=st.integers(1, 5),
    max_tokens=st.just(30),
)
rows = st.lists(
    st.tuples(
        st.lists(st.floats(-8, 8, width=32), min_size=SIZE, max_size=SIZE),
        samplings,
        st.lists(st.integers(EOS + 1, SIZE - 1), max_size=7),
    ),
    min_size=1,
    max_size=5,
)


def by_definition(logits: Sequence[float], asked: Sampling, tokens: Sequence[int]) -> dict[int, float]:
    """Tokens that may come and their probabilities, one row, with lists alone."""
    forbidden = {PAD, UNK, BOS} | ({EOS} if len(tokens) < asked.min_tokens else set())
    size = asked.no_repeat_ngram
    for start in range(len(tokens) - size + 1 if size else 0):
        *beginning, last = tokens[start : start + size]
        if tokens[len(tokens) - size + 1 :] == beginning:
            forbidden.add(last)
    penalised = list(logits)
    for token in set(tokens):
        value = penalised[token]
        penalised[token] = value / asked.repetition_penalty if value > 0 else value * asked.repetition_penalty
    scores = {t: value / asked.temperature for t, value in enumerate(penalised) if t not in forbidden}
    order = sorted(scores, key=lambda token: -scores[token])[: asked.top_k or None]
    if not order:  # nothing but the end is left
        return {EOS: 1.0}
    if asked.method == "greedy":
        return {order[0]: 1.0}
    highest = scores[order[0]]
    total = math.fsum(math.exp(scores[token] - highest) for token in order)
    shares = {token: math.exp(scores[token] - highest) / total for token in order}
    kept, reached = [], 0.0
    for token in order:
        if reached >= asked.top_p and asked.top_p < 1:
            break
        if shares[token] >= asked.min_p * shares[order[0]]:
            kept.append(token)
        reached += shares[token]
    whole = math.fsum(shares[token] for token in kept)
    return {token: shares[token] / whole for token in kept}


def is_clear(logits: Sequence[float], asked: Sampling, tokens: Sequence[int]) -> bool:
    """Whether no bound lies so near that a rounding decides."""
    found = by_definition(logits, asked, tokens).keys()
    changes = (
        {"top_p": min(1.0, asked.top_p + 1e-5)},
        {"top_p": max(1e-9, asked.top_p - 1e-5)},
        {"min_p": min(1.0, asked.min_p + 1e-5)},
        {"min_p": max(0.0, asked.min_p - 1e-5)},
    )
    if asked.top_p == 1.0:
        changes = changes[2:]
    return all(by_definition(logits, replace(asked, **change), tokens).keys() == found for change in changes)


def midpoints(wanted: dict[int, float]) -> list[tuple[int, float]]:
    """Returns for each token a draw that falls into the middle of its share."""
    found, before = [], 0.0
    for token in sorted(wanted):
        if wanted[token] > 1e-6:
            found.append((token, before + wanted[token] / 2))
        before += wanted[token]
    return found


def history(asked: Sampling, tokens: Sequence[int], draw: float) -> History:
    return History(asked, np.full(asked.max_tokens, draw), list(tokens))


def spread(values: Sequence[float]) -> list[float]:
    """Makes all logits differ, also when a penalty has taken 1.5 of some: equal ones could be cut between anywhere."""
    return [round(value, 1) + place * place * 3e-4 for place, value in enumerate(values)]


@pytest.mark.parametrize("each", [True, False])
@pytest.mark.parametrize(("floors", "few"), [((1e-3, 0.0), 256), ((0.5, 0.1, 0.0), 256), ((0.1, 0.0), 2)])
@settings(max_examples=120, deadline=None)
@given(batch=rows)
def test_filters_are_what_they_are_defined_to_be(floors, few, each, batch) -> None:
    before = module._FLOORS, module._FEW_CANDIDATES
    module._FLOORS, module._FEW_CANDIDATES = floors, few
    try:
        check_by_definition(batch, each)
    finally:
        module._FLOORS, module._FEW_CANDIDATES = before


def check_by_definition(batch, each) -> None:
    batch = [(spread(logits), asked, tokens) for logits, asked, tokens in batch]
    wanted = [by_definition(*row) for row in batch]
    clear = [is_clear(*row) for row in batch]
    draws = [midpoints(found) if yes else [] for found, yes in zip(wanted, clear, strict=True)]
    table = torch.tensor([row[0] for row in batch])
    for turn in range(max(map(len, draws))):
        points = [places[turn % len(places)] if places else (0, 0.5) for places in draws]
        histories = [
            history(asked, tokens, point)
            for (_, asked, tokens), (_, point) in zip(batch, points, strict=True)
        ]
        chosen = next_tokens(table, SamplingRows.of(histories, CPU), each)
        for row, (token, _) in enumerate(points):
            if not draws[row]:
                continue
            share = 0.0 if batch[row][1].method == "greedy" else math.log(wanted[row][token])
            under_model = torch.log_softmax(table[row].double(), 0)[token].item()
            assert chosen.tokens[row] == token
            assert chosen.filtered[row] == pytest.approx(share, abs=1e-4)
            assert chosen.log_probabilities[row] == pytest.approx(under_model, abs=1e-4)
            alone = next_token(table[row].numpy().copy(), histories[row])
            assert alone == pytest.approx((token, under_model, share), abs=1e-4)


@pytest.mark.parametrize("each", [True, False])
@settings(max_examples=50, deadline=None)
@given(batch=rows, seed=st.integers(0, 99))
def test_a_row_is_drawn_alike_whatever_stands_beside_it(each, batch, seed) -> None:
    draws = np.random.default_rng(seed).random(len(batch))
    histories = [history(asked, tokens, u) for (_, asked, tokens), u in zip(batch, draws, strict=True)]
    table = torch.tensor([logits for logits, _, _ in batch])
    together = next_tokens(table, SamplingRows.of(histories, CPU), each)
    for row, own in enumerate(histories):
        alone = next_tokens(table[row : row + 1], SamplingRows.of([own], CPU), each)
        assert alone.tokens == [together.tokens[row]]
        assert alone.filtered[0] == pytest.approx(together.filtered[row], abs=1e-9)


@pytest.mark.parametrize("each", [True, False])
def test_draws_come_as_often_as_they_are_probable(each) -> None:
    asked, count = Sampling(temperature=0.7, top_k=6, max_tokens=1), 4000
    shares = by_definition(torch.linspace(-1, 1, 10).tolist(), asked, [])
    histories = [History.of(asked, reply_generator(5, index)) for index in range(count)]
    logits = torch.linspace(-1, 1, 10).expand(count, -1)
    found = next_tokens(logits, SamplingRows.of(histories, CPU), each).tokens
    for token in range(10):
        share = shares.get(token, 0.0)
        assert abs(found.count(token) / count - share) <= 4 * math.sqrt(share * (1 - share) / count)


@pytest.mark.parametrize("each", [True, False])
@pytest.mark.parametrize("draw", [0.0, 1.0 - 2**-53])
def test_the_ends_of_the_distribution_are_kept_tokens(draw, each) -> None:
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(50, 3000, generator=generator) * 4
    settings_ = [
        Sampling(),
        Sampling(top_p=0.7),
        Sampling(top_k=5),
        Sampling(min_p=0.2),
        Sampling(top_p=1e-6),
    ]
    histories = [history(settings_[row % 5], [], draw) for row in range(50)]
    chosen = next_tokens(table, SamplingRows.of(histories, CPU), each)
    for row, own in enumerate(histories):
        wanted = by_definition(table[row].tolist(), own.sampling, [])
        assert chosen.tokens[row] in wanted
        assert next_token(table[row].numpy().copy(), own)[0] == chosen.tokens[row]
        if own.sampling.top_p != 1.0 or own.sampling.top_k or own.sampling.min_p:
            assert chosen.tokens[row] == (min(wanted) if draw == 0.0 else max(wanted))


def test_one_draw_a_token_whatever_the_reply_may_take() -> None:
    short = History.of(Sampling(max_tokens=3), reply_generator(3, 0)).draws
    long = History.of(Sampling(max_tokens=40), reply_generator(3, 0)).draws
    generator = reply_generator(3, 0)
    one_by_one = [torch.rand(1, generator=generator, dtype=torch.float64).item() for _ in range(40)]
    assert long.tolist() == one_by_one
    assert short.tolist() == one_by_one[:3]


@pytest.mark.parametrize("method", ["sample", "greedy"])
def test_a_reply_that_may_say_nothing_more_ends(method) -> None:
    asked = Sampling(method, no_repeat_ngram=1, min_tokens=20, max_tokens=20)
    own = history(asked, range(EOS + 1, SIZE), 0.5)
    logits = torch.randn(2, SIZE, generator=torch.Generator().manual_seed(1))
    assert next_token(logits[0].numpy().copy(), own)[0] == EOS
    assert next_tokens(logits, SamplingRows.of([own, history(asked, [5], 0.5)], CPU)).tokens[0] == EOS


@given(tokens=st.lists(st.integers(0, 3), max_size=12), size=st.integers(0, 4))
def test_a_blocked_token_is_one_that_would_repeat_an_n_gram(tokens, size) -> None:
    def grams(of: list[int]) -> list[tuple[int, ...]]:
        return [tuple(of[start : start + size]) for start in range(len(of) - size + 1)]

    for token in range(4):
        repeats = (
            size > 0 and grams([*tokens, token])[-1:] != [] and grams([*tokens, token])[-1] in grams(tokens)
        )
        assert (token in blocked_tokens(tokens, size)) == repeats


def test_replies_have_generators_of_their_own() -> None:
    states = {
        bytes(reply_generator(seed, index).get_state().tolist()) for seed in range(5) for index in range(5)
    }
    assert len(states) == 25


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "best"},
        {"temperature": 0.0},
        {"temperature": math.nan},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"max_tokens": 0},
    ],
)
def test_what_cannot_be_asked_for_is_named(wrong) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Sampling(**wrong)
