"""States can be taken apart and put together, and stay small; decoding and beam search build on this alone."""

from typing import Any

import pytest
import torch

from dialog.models.base import State
from dialog.text.batches import utterances_of
from tests.dialog.models.tiny import (
    ALL,
    generators,
    make_model,
    random_windows,
    states_before,
    stepped_logits,
)

MORE = {
    "seq2seq": {"context_turns": 3},
    "hred": {"attention_turns": 3},
    "vhred": {"attention_turns": 3},
    "transformer": {"context_turns": 3},
    "window": {"window_tokens": 20},
}


def same(one: State, other: State) -> None:
    for field in one.__dataclass_fields__:
        first, second = getattr(one, field), getattr(other, field)
        assert (first is None) == (second is None), field
        assert first is None or torch.equal(first, second), field


def context(model: Any, turns: tuple[int, ...], seed: int = 1) -> Any:
    windows = random_windows(turns, seed)
    return type(model.start(1)).concat([states_before(model, window)[-1] for window in windows])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("widest", [False, True])
def test_concat_of_selects_is_the_state_itself(name, widest) -> None:
    model = make_model(name, layers=2, **(MORE[name] if widest else {}))
    state = context(model, (5, 1, 3))
    plan = model.plan(state, generators(3))
    _, stepped = model.step(torch.tensor([2, 2, 2]), plan)
    for whole in (state, plan, stepped):
        parts = [whole.select([row]) for row in range(3)]
        same(type(whole).concat(parts), whole)
        same(type(whole).concat([whole.select([0, 2]), parts[1]]).select([0, 2, 1]), whole)
        same(whole.select(torch.tensor([2, 2])), type(whole).concat([parts[2], parts[2]]))
        assert (whole.num_rows, parts[0].num_rows, whole.select([]).num_rows) == (3, 1, 0)
        tensors = [getattr(whole, field) for field in whole.__dataclass_fields__]
        assert whole.num_bytes == sum(t.nbytes for t in tensors if t is not None)
        assert whole.num_bytes == sum(part.num_bytes for part in parts)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("widest", [False, True])
def test_joined_and_left_rows_answer_as_before(name, widest) -> None:
    """Rows of other source lengths, and a reply that joins others that are under way."""
    model = make_model(name, layers=2, **(MORE[name] if widest else {}))
    states = [context(model, (turns,), seed=turns) for turns in (1, 4, 2)]
    plans = [model.plan(state, generators(1, row)) for row, state in enumerate(states)]
    words = utterances_of([[5, 9, 11], [7, 7, 7], [20, 4, 8]])
    alone = torch.cat(
        [stepped_logits(model, plan, words.select(torch.tensor([r]))) for r, plan in enumerate(plans)]
    )
    joined = type(plans[0]).concat(plans)
    torch.testing.assert_close(stepped_logits(model, joined, words), alone, atol=1e-10, rtol=0)
    by_context = model.plan(type(states[0]).concat(states), generators(3))
    torch.testing.assert_close(stepped_logits(model, by_context, words), alone, atol=1e-10, rtol=0)
    swapped = words.select(torch.tensor([2, 0]))
    torch.testing.assert_close(
        stepped_logits(model, joined.select([2, 0]), swapped), alone[[2, 0]], atol=1e-10, rtol=0
    )
    _, under_way = model.step(torch.tensor([2]), plans[0])
    for order in ([under_way, plans[1]], [plans[1], under_way]):
        late = type(under_way).concat(order)
        tokens = torch.tensor([int(words.tokens[0, 0]) if s is under_way else 2 for s in order])
        wanted = torch.stack([alone[0, 1] if s is under_way else alone[1, 0] for s in order])
        torch.testing.assert_close(model.step(tokens, late)[0], wanted, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("widest", [False, True])
def test_observing_joined_conversations_is_observing_each(name, widest) -> None:
    model = make_model(name, **(MORE[name] if widest else {}))
    states = [context(model, (turns,), seed=turns) for turns in (1, 4)]
    rows = utterances_of([[5, 6, 7, 8, 9, 10], [11]])
    z = torch.ones(2, 3, dtype=torch.float64) if name == "vhred" else None
    together = model.plan(model.observe(type(states[0]).concat(states), rows), generators(2), z)
    for row, state in enumerate(states):
        one = model.observe(state, rows.select(torch.tensor([row])))
        alone = model.plan(one, generators(1), None if z is None else z[:1])
        reply = utterances_of([[12, 13]])
        torch.testing.assert_close(
            model.score(together.select([row]), reply), model.score(alone, reply), atol=1e-10, rtol=0
        )


@pytest.mark.parametrize(
    ("name", "turns"),
    [("seq2seq", 1000), ("hred", 1000), ("vhred", 50), ("transformer", 1000), ("window", 1000)],
)
def test_a_state_does_not_grow(name, turns) -> None:
    model = make_model(name, **MORE[name])
    state, sizes = model.start(1), {}
    with torch.no_grad():
        for turn in range(1, turns + 1):
            state = model.observe(state, utterances_of([[4 + turn % 20] * 9]))
            sizes[turn] = state.num_bytes
    assert sizes[turns] == sizes[10] > 0
    for tensor in (getattr(state, field) for field in state.__dataclass_fields__):
        assert tensor.untyped_storage().nbytes() <= 4 * tensor.nbytes  # no view into something large
    longest = model.observe(state, utterances_of([[5] * 500]))
    assert longest.num_bytes <= 2 * state.num_bytes  # `max_utterance_tokens` bounds a turn


@pytest.mark.parametrize("name", ALL)
def test_calls_keep_nothing(name) -> None:
    model = make_model(name, **MORE[name])
    state = context(model, (4,))
    before = state.select([0])
    plan = model.plan(state, generators(1))
    first = stepped_logits(model, plan, utterances_of([[5, 6]]))
    stepped_logits(model, model.plan(context(model, (2, 5)), generators(2)), utterances_of([[9], [8, 7]]))
    model.observe(state, utterances_of([[9, 9, 9]]))
    assert torch.equal(first, stepped_logits(model, plan, utterances_of([[5, 6]])))
    same(before, state)
