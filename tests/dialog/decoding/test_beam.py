"""Beam search finds what exhaustive search finds where it is wide enough, and is greedy search at width 1."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.decoding.beam import BeamSearch, Hypothesis, length_norm
from dialog.decoding.history import blocked_tokens
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import History, adjust
from dialog.text.batches import BOS, EOS, Utterances, utterances_of
from tests.dialog.models.tiny import NAMES, generators, make_model, random_words

Logits = Callable[[Sequence[int]], torch.Tensor]
WORDS = 3
VOCABULARY = 4 + WORDS


def table(seed: int, rounded: bool = False) -> Logits:
    """Returns logits that depend on all of a reply's beginning; rounded ones have many ties."""

    def logits(tokens: Sequence[int]) -> torch.Tensor:
        values = np.random.default_rng([seed, *tokens]).normal(size=VOCABULARY) * 2.0
        return torch.from_numpy(values.round() if rounded else values)

    return logits


def found(asked: Sampling, logits: Logits) -> list[Hypothesis]:
    search = BeamSearch(asked)
    rows: list[list[int]] = [[] for _ in range(search.num_rows)]
    while not search.done:
        tokens, parents = search.advance(torch.stack([logits(row) for row in rows]))
        assert tokens.shape == parents.shape == (search.num_rows,)
        rows = [[*rows[p], t] for t, p in zip(tokens.tolist(), parents.tolist(), strict=True)]
    return search.finish()


def choices(asked: Sampling, logits: Logits, tokens: list[int]) -> dict[int, float]:
    """Returns the nats of each token that may follow, token by token from the definition."""
    values = logits(tokens).tolist()
    for token in set(tokens):
        penalty = asked.repetition_penalty
        values[token] = values[token] / penalty if values[token] > 0 else values[token] * penalty
    values = [value / asked.temperature for value in values]
    normaliser = math.log(sum(math.exp(value) for value in values))
    forbidden = {0, 1, BOS, *blocked_tokens(tokens, asked.no_repeat_ngram)}
    if len(tokens) < asked.min_tokens:
        forbidden.add(EOS)
    allowed = [token for token in range(VOCABULARY) if token not in forbidden] or [EOS]
    return {token: values[token] - normaliser for token in allowed}


def score_of(asked: Sampling, total: float, count: int) -> float:
    return total / ((5 + count) / 6) ** asked.length_penalty


def all_replies(asked: Sampling, logits: Logits, tokens: list[int], total: float) -> Iterator[tuple]:
    """Yields (cut at the limit, minus the score, tokens) of every reply that begins with `tokens`."""
    if tokens[-1:] == [EOS] or len(tokens) == asked.max_tokens:
        yield tokens[-1] != EOS, -score_of(asked, total, len(tokens)), tokens
        return
    for token, nats in choices(asked, logits, tokens).items():
        yield from all_replies(asked, logits, [*tokens, token], total + nats)


def plain_beam(asked: Sampling, logits: Logits) -> list[tuple]:
    """Beam search by lists, which never stops early; results as those of `all_replies`."""
    beam: list[tuple[float, list[int]]] = [(0.0, [])]
    ended: list[tuple] = []
    while beam:
        candidates = [
            (-(total + nats), parent, token)
            for parent, (total, tokens) in enumerate(beam)
            for token, nats in choices(asked, logits, tokens).items()
        ]
        after = []
        for minus, parent, token in sorted(candidates)[: asked.beam_size]:
            tokens = [*beam[parent][1], token]
            if token == EOS or len(tokens) == asked.max_tokens:
                ended.append((token != EOS, -score_of(asked, -minus, len(tokens)), tokens))
            else:
                after.append((-minus, tokens))
        beam = after
    return sorted(ended, key=lambda one: one[:2])[: asked.beam_size]


def assert_same(hypotheses: list[Hypothesis], expected: list[tuple]) -> None:
    assert [list(one.tokens) for one in hypotheses] == [tokens for _, _, tokens in expected]
    assert [one.score for one in hypotheses] == pytest.approx([-minus for _, minus, _ in expected])
    assert [one.ended for one in hypotheses] == ["length" if cut else "end" for cut, _, _ in expected]


@st.composite
def askings(draw, longest: int = 4) -> Sampling:
    max_tokens = draw(st.integers(1, longest))
    return Sampling(
        "beam",
        temperature=draw(st.sampled_from([1.0, 0.5, 2.0])),
        repetition_penalty=draw(st.sampled_from([1.0, 1.7])),
        no_repeat_ngram=draw(st.integers(0, 3)),
        max_tokens=max_tokens,
        min_tokens=draw(st.integers(1, max_tokens)),
        beam_size=draw(st.integers(1, 6)),
        length_penalty=draw(st.sampled_from([0.0, 0.6, 1.0, 3.0])),
    )


seeds = st.integers(0, 10_000)


@given(askings(), seeds)
@settings(max_examples=60, deadline=None)
def test_a_beam_as_wide_as_all_beginnings_finds_the_best_of_all_replies(asked, seed) -> None:
    wide = replace(asked, beam_size=2 * WORDS**asked.max_tokens)
    expected = sorted(all_replies(asked, table(seed), [], 0.0))
    assert_same(found(wide, table(seed)), expected[: wide.beam_size])


@given(askings(longest=9), seeds)
@settings(max_examples=150, deadline=None)
def test_stopping_early_changes_nothing(asked, seed) -> None:
    assert_same(found(asked, table(seed)), plain_beam(asked, table(seed)))


def test_it_does_stop_early() -> None:
    def logits(tokens: Sequence[int]) -> torch.Tensor:
        likely = EOS if tokens else 4
        return torch.where(torch.arange(VOCABULARY) == likely, 9.0, 0.0)

    search = BeamSearch(Sampling("beam", beam_size=2, max_tokens=50, length_penalty=0.0))
    rows: list[list[int]] = [[], []]
    while not search.done:
        tokens, parents = search.advance(torch.stack([logits(row) for row in rows]))
        rows = [[*rows[p], t] for t, p in zip(tokens.tolist(), parents.tolist(), strict=True)]
    assert search.num_tokens < 5


@given(askings(longest=9), seeds)
@settings(max_examples=100, deadline=None)
def test_a_beam_of_one_is_greedy_search(asked, seed) -> None:
    asked, logits = replace(asked, beam_size=1), table(seed)
    history = History(asked, np.zeros(0))
    while history.tokens[-1:] != [EOS] and len(history.tokens) < asked.max_tokens:
        history.tokens.append(int(adjust(logits(history.tokens)[None], [history]).argmax()))
    (only,) = found(asked, logits)
    assert list(only.tokens) == history.tokens


@given(askings(longest=12), st.sampled_from([1, 2, 3]), seeds)
@settings(max_examples=100, deadline=None)
def test_no_hypothesis_repeats_a_blocked_ngram_or_ends_too_soon(asked, groups, seed) -> None:
    asked = replace(asked, beam_size=6, beam_groups=groups, no_repeat_ngram=max(1, asked.no_repeat_ngram))
    for one in found(asked, table(seed)):
        words = [token for token in one.tokens if token != EOS]
        size = asked.no_repeat_ngram
        ngrams = [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
        assert len(set(ngrams)) == len(ngrams)
        assert not {0, 1, BOS} & set(one.tokens)
        nothing_else = set(blocked_tokens(words, size)) >= set(range(4, VOCABULARY))
        assert one.ended == "length" or len(words) >= asked.min_tokens or nothing_else


@given(askings(), seeds)
@settings(max_examples=60, deadline=None)
def test_hypotheses_come_best_first_and_differ(asked, seed) -> None:
    hypotheses = found(replace(asked, beam_size=6, beam_groups=3), table(seed))
    assert len({one.tokens for one in hypotheses}) == len(hypotheses) <= 6
    for better, worse in pairwise(hypotheses):
        assert (better.ended == "length", -better.score) <= (worse.ended == "length", -worse.score)


@given(askings(longest=6), seeds)
@settings(max_examples=60, deadline=None)
def test_groups_without_diversity_are_the_plain_beam_of_their_width(asked, seed) -> None:
    grouped = replace(asked, beam_size=3 * asked.beam_size, beam_groups=3, diversity=0.0)
    plain, logits = found(asked, table(seed)), table(seed)
    assert [replace(one, group=0) for one in found(grouped, logits)] == plain


@given(askings(longest=6), seeds)
@settings(max_examples=60, deadline=None)
def test_the_first_group_is_the_plain_beam_and_one_group_knows_no_diversity(asked, seed) -> None:
    plain, logits = found(asked, table(seed)), table(seed)
    grouped = replace(asked, beam_size=2 * asked.beam_size, beam_groups=2, diversity=1.5)
    assert [one for one in found(grouped, logits) if one.group == 0] == plain
    assert found(replace(asked, diversity=9.0), logits) == plain


@given(seeds, st.floats(0.0, 3.0))
@settings(max_examples=60, deadline=None)
def test_a_token_costs_a_group_its_diversity_for_each_earlier_choice(seed, diversity) -> None:
    asked = Sampling("beam", beam_size=3, beam_groups=3, diversity=diversity, max_tokens=1)
    logits = table(seed)
    nats, expected = choices(asked, logits, []), []
    for _ in range(3):
        expected.append(max(nats, key=lambda token: nats[token] - diversity * expected.count(token)))
    by_group = {one.group: one for one in found(asked, logits)}
    assert {expected[group] for group in by_group} == set(expected)
    assert all(one.score == pytest.approx(nats[one.tokens[0]]) for one in by_group.values())


@given(askings(longest=5), seeds)
@settings(max_examples=60, deadline=None)
def test_of_equal_sums_the_lower_parent_and_token_come_first(asked, seed) -> None:
    asked = replace(asked, temperature=1.0, repetition_penalty=1.0)
    equal = table(seed, rounded=True)
    assert found(asked, equal) == found(asked, equal)
    flat = found(replace(asked, max_tokens=1, min_tokens=1), lambda _: torch.zeros(VOCABULARY))
    assert [one.tokens for one in flat] == [(token,) for token in range(4, VOCABULARY)][: asked.beam_size]


def test_a_search_that_is_left_gives_what_it_has() -> None:
    search = BeamSearch(Sampling("beam", beam_size=2, length_penalty=0.0))
    search.advance(torch.stack([table(1)([])] * 2))
    assert [(len(one.tokens), one.ended) for one in search.finish()] == [(1, "stop")] * 2


def test_the_length_norm_is_that_of_the_paper() -> None:
    assert length_norm(1, 3.0) == 1.0
    assert length_norm(7, 1.0) == 2.0
    assert length_norm(50, 0.0) == 1.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("groups", [1, 2])
def test_through_the_model_log_probabilities_are_those_that_it_scores(name, groups) -> None:
    model, words = make_model(name, vocab_size=12), random.Random(1)
    with torch.inference_mode():
        context = model.observe(
            model.start(1), utterances_of([random_words(np.random.default_rng(2), 5, 12)])
        )
        plan = model.plan(context, generators(1, words.randrange(100)))
        asked = Sampling(
            "beam", temperature=1.5, repetition_penalty=1.2, beam_size=6, beam_groups=groups, max_tokens=8
        )
        search, state = BeamSearch(asked), plan.select([0] * 6)
        tokens = torch.full((6,), BOS)
        while not search.done:
            logits, state = model.step(tokens, state)
            tokens, parents = search.advance(logits)
            state = state.select(parents)
        hypotheses = search.finish()
        ended = utterances_of([[token for token in one.tokens if token != EOS] for one in hypotheses])
        rows = Utterances(ended.tokens, torch.tensor([len(one.tokens) for one in hypotheses]))
        scores = model.score(plan.select([0] * len(hypotheses)), rows).sum(1)
    assert len(hypotheses) >= 4
    assert [one.log_probability for one in hypotheses] == pytest.approx(scores.tolist(), abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_through_the_model_a_wide_beam_is_exhaustive(name) -> None:
    model = make_model(name, vocab_size=VOCABULARY, seed=3)
    with torch.inference_mode():
        context = model.observe(model.start(1), utterances_of([np.array([4, 6, 5], dtype=np.int32)]))
        plan = model.plan(context, generators(1))

        def logits(tokens: Sequence[int]) -> torch.Tensor:
            state = plan
            for token in [BOS, *tokens]:
                values, state = model.step(torch.tensor([token]), state)
            return values[0]

        asked = Sampling("beam", beam_size=200, max_tokens=4, length_penalty=0.7)
        search, state, tokens = BeamSearch(asked), plan.select([0] * 200), torch.full((200,), BOS)
        while not search.done:
            values, state = model.step(tokens, state)
            tokens, parents = search.advance(values)
            state = state.select(parents)
        assert_same(search.finish(), sorted(all_replies(asked, logits, [], 0.0)))
