"""Filters against their definition, and draws against the distribution that they are drawn from."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from dialog.decoding import sampling as module
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import choose, filtered_log_probabilities, reply_generator
from dialog.errors import UsageError
from dialog.text.batches import BOS, EOS, PAD, UNK

samplings = st.builds(
    Sampling,
    temperature=st.floats(0.1, 5.0),
    top_k=st.integers(0, 15),
    top_p=st.floats(0.01, 1.0),
)
rows = st.lists(st.lists(st.floats(-8, 8, width=32), min_size=12, max_size=12), min_size=1, max_size=4)


def by_definition(logits: list[float], asked: Sampling, is_first: bool) -> dict[int, float]:
    """Tokens that may come and their probabilities, one row, with lists alone."""
    forbidden = {PAD, UNK, BOS} | ({EOS} if is_first else set())
    scores = {
        token: value / asked.temperature for token, value in enumerate(logits) if token not in forbidden
    }
    order = sorted(scores, key=lambda token: -scores[token])[: asked.top_k or None]
    highest = scores[order[0]]
    total = math.fsum(math.exp(scores[token] - highest) for token in order)
    shares = {token: math.exp(scores[token] - highest) / total for token in order}
    kept, reached = [], 0.0
    for token in order:
        if reached >= asked.top_p and asked.top_p < 1:
            break
        kept.append(token)
        reached += shares[token]
    whole = math.fsum(shares[token] for token in kept)
    return {token: shares[token] / whole for token in kept}


@pytest.mark.parametrize("first_look", [256, 3])
@settings(max_examples=150, deadline=None)
@given(logits=rows, asked=samplings, is_first=st.booleans())
def test_filters_are_what_they_are_defined_to_be(first_look, logits, asked, is_first) -> None:
    # Equal logits could be cut between anywhere, and sums a rounding away from p either way.
    logits = [[value + token * 1e-3 for token, value in enumerate(row)] for row in logits]
    before, module._FIRST_LOOK = module._FIRST_LOOK, first_look
    try:
        found = filtered_log_probabilities(torch.tensor(logits, dtype=torch.float64), asked, is_first).exp()
    finally:
        module._FIRST_LOOK = before
    for row, values in zip(logits, found.tolist(), strict=True):
        wanted = by_definition(row, asked, is_first)
        near = by_definition(
            row,
            Sampling(temperature=asked.temperature, top_k=asked.top_k, top_p=min(1.0, asked.top_p + 1e-9)),
            is_first,
        )
        if wanted.keys() == near.keys() and len({*row}) == len(row):
            assert {token for token, value in enumerate(values) if value > 0} <= set(wanted)
            assert values == pytest.approx([wanted.get(token, 0.0) for token in range(len(row))], abs=1e-9)
        assert math.fsum(values) == pytest.approx(1.0)
        assert all(values[token] == 0.0 for token in (PAD, UNK, BOS))
        assert not (is_first and values[EOS] > 0)


@settings(max_examples=50, deadline=None)
@given(logits=rows, asked=samplings, seed=st.integers(0, 99))
def test_a_row_is_filtered_and_drawn_alike_whatever_stands_beside_it(logits, asked, seed) -> None:
    table = torch.tensor(logits)
    together = filtered_log_probabilities(table, asked)
    drawn = choose(together, asked, [reply_generator(seed, row) for row in range(len(table))])
    for row in range(len(table)):
        alone = filtered_log_probabilities(table[row : row + 1], asked)
        assert torch.equal(alone[0], together[row])
        assert choose(alone, asked, [reply_generator(seed, row)]).item() == drawn[row].item()


def test_draws_come_as_often_as_they_are_probable() -> None:
    asked = Sampling(temperature=0.7, top_k=6)
    log_shares = filtered_log_probabilities(torch.linspace(-1, 1, 10)[None], asked)
    generator, count = torch.Generator().manual_seed(5), 4000
    found = choose(log_shares.expand(count, -1), asked, [generator] * count)
    frequencies = torch.bincount(found, minlength=10) / count
    shares = log_shares[0].exp()
    deviation = (shares * (1 - shares) / count).sqrt()
    assert ((frequencies - shares).abs() <= 4 * deviation).all()
    assert frequencies[shares == 0].sum() == 0


def test_greedy_takes_the_most_probable_and_draws_nothing() -> None:
    generator = reply_generator(1, 1)
    before = generator.get_state()
    asked = Sampling("greedy")
    logits = torch.randn(3, 20, generator=torch.Generator().manual_seed(1))
    logits[:, UNK] = 99.0
    chosen = choose(filtered_log_probabilities(logits, asked), asked, [generator] * 3)
    assert chosen.tolist() == (logits[:, 3:].argmax(1) + 3).tolist()
    assert torch.equal(generator.get_state(), before)


def test_one_draw_a_token() -> None:
    generator, other = reply_generator(3, 0), reply_generator(3, 0)
    logits = torch.randn(1, 20, generator=torch.Generator().manual_seed(1))
    for asked in (Sampling(), Sampling(top_k=2), Sampling(top_p=0.1)):
        choose(filtered_log_probabilities(logits, asked), asked, [generator])
        torch.rand(1, generator=other, dtype=torch.float64)
        assert torch.equal(generator.get_state(), other.get_state())


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
