"""However a reply is computed — all at once, step by step, in windows, among others — it costs the same."""

import numpy as np
import pytest
import torch

from dialog.text.batches import Batch, Utterances, Window, collate, utterances_of
from tests.dialog.models.tiny import (
    ALL,
    NAMES,
    costs,
    generators,
    make_model,
    random_windows,
    random_words,
    scored,
    states_before,
    stepped_logits,
)

CONTEXT = {
    "seq2seq": [{"context_turns": 1}, {"context_turns": 3}, {"context_turns": 4, "max_context_tokens": 9}],
    "hred": [{"attention_turns": 1}, {"attention_turns": 3}],
    "vhred": [{"attention_turns": 1}, {"attention_turns": 3}],
    "transformer": [
        {"context_turns": 1},
        {"context_turns": 3},
        {"context_turns": 4, "max_context_tokens": 9},
    ],
    "window": [{"window_tokens": 1}, {"window_tokens": 5}, {"window_tokens": 30}],
}
CASES = [
    (n, layers, more) for n in ALL for layers in (1, 2) for more in CONTEXT[n] if (n, layers) != ("window", 2)
]


def close(one: torch.Tensor, other: torch.Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(one, other, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("name", "layers", "more"), CASES)
@pytest.mark.parametrize("rows", [1, 3])
def test_step_by_step_equals_teacher_forced(name, layers, more, rows) -> None:
    windows = random_windows([4, 2, 6][:rows], seed=2)
    random = np.random.default_rng(9)
    replies = utterances_of([random_words(random, 7) for _ in windows])
    z = torch.randn(rows, 3, generator=torch.Generator().manual_seed(1)) if name == "vhred" else None
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        model = make_model(name, dtype, layers=layers, **more)
        state = type(model.start(1)).concat([states_before(model, window)[-1] for window in windows])
        plan = model.plan(state, generators(rows), z)
        steps = stepped_logits(model, plan, replies).log_softmax(2)
        steps = steps.gather(2, replies.tokens[:, :, None])[:, :, 0]
        real = torch.arange(replies.tokens.shape[1]) < replies.lengths[:, None]
        whole = model.score(plan, replies)
        close(whole[real], steps[real], tolerance)
        assert (whole[~real] == 0).all()
        if tolerance == 1e-10:
            reference = whole
        close(whole.double(), reference, 1e-4)


@pytest.mark.parametrize(("name", "layers", "more"), CASES)
def test_a_batch_costs_what_its_replies_cost_alone(name, layers, more) -> None:
    model = make_model(name, layers=layers, **more)
    windows = random_windows([5, 2, 3, 7, 2, 4, 3, 2, 6, 5], seed=11)
    windows[2].targets[1] = False  # a turn that is read and not scored
    windows[3].targets[0] = True  # a reply to nothing
    whole = costs(model, collate(windows))
    close(whole.parts.nll, scored(model, windows, whole.latents))
    alone = [costs(model, collate([window])) for window in windows]
    close(torch.cat([c.condition[:, :7] for c in alone]), whole.condition[:, :7])
    if name == "vhred":
        close(torch.cat([c.parts.kl for c in alone]), whole.parts.kl)
        close(torch.cat([c.prior for c in alone]), whole.prior)
    single = make_model(name, torch.float32, layers=layers, **more)
    latents = None if whole.latents is None else whole.latents.float()
    for ours, reference in zip(costs(single, collate(windows)).logits, whole.logits, strict=True):
        if latents is None:  # z is drawn anew in float32
            close(ours.double(), reference, 1e-4)


@pytest.mark.parametrize("name", ALL)
def test_more_padding_changes_nothing(name) -> None:
    model = make_model(name, layers=2)
    windows = random_windows([5, 2, 4], seed=12)
    batch = collate(windows)
    tokens = torch.nn.functional.pad(batch.utterances.tokens, (0, 5))
    rows = torch.nn.functional.pad(batch.rows, (0, 3), value=-1)
    padded = Batch(
        Utterances(tokens, batch.utterances.lengths),
        rows,
        batch.targets,
        batch.target_conversations,
        batch.target_turns,
    )
    close(costs(model, batch).parts.nll, costs(model, padded).parts.nll)
    state = states_before(model, windows[0])[-1]
    wide = model.observe(states_before(model, windows[0])[-2], padded.utterances.select(batch.rows[0, 4:5]))
    more = Utterances(tokens[batch.rows[0, 4:5]], batch.utterances.lengths[batch.rows[0, 4:5]])
    z = torch.ones(1, 3, dtype=torch.float64) if name == "vhred" else None
    reply = utterances_of([[5, 6, 7]])
    longer = Utterances(torch.nn.functional.pad(reply.tokens, (0, 4)), reply.lengths)
    reference = model.score(model.plan(state, generators(1), z), reply)
    for read in (wide, model.observe(states_before(model, windows[0])[-2], more)):
        plan = model.plan(read, generators(1), z)
        close(model.score(plan, reply), reference)
        close(model.score(plan, longer)[:, :4], reference)


@pytest.mark.parametrize(("name", "layers", "more"), CASES)
@pytest.mark.parametrize("size", [1, 4])
def test_a_long_conversation_has_one_likelihood(name, layers, more, size) -> None:
    """Whole, turn by turn by `score`, and in windows with the state carried over; 13 turns, four windows and more."""
    model = make_model(name, layers=layers, **more)
    windows = random_windows([13, 9], seed=13)
    longest = Window([w[:3] for w in windows[0].utterances], windows[0].targets)
    for pair in (windows[:1], windows, [longest]):
        whole = costs(model, collate(pair))
        close(whole.parts.nll, scored(model, pair, whole.latents))
    state, start = model.start(1), 0
    long = windows[0]
    whole = costs(model, collate([long]))
    nll, kl, latents = [], [], []
    while start < 13:
        part = Window(long.utterances[start : start + size], long.targets[start : start + size])
        if part.targets.any():
            cost = costs(model, collate([part]), state)
            nll.append(cost.parts.nll)
            kl.append(cost.parts.kl)
            latents.append(cost.latents)
        for words in part.utterances:
            state = model.observe(state, utterances_of([words]))
        start += size
    close(torch.cat(nll), scored(model, [long], torch.cat(latents) if name == "vhred" else None))
    if name == "vhred":
        close(torch.cat(kl), whole.parts.kl)
    else:
        close(torch.cat(nll), whole.parts.nll)


@pytest.mark.parametrize(("name", "layers", "more"), CASES)
def test_windows_of_several_conversations_go_on_from_their_own_states(name, layers, more) -> None:
    model = make_model(name, layers=layers, **more)
    first, second = random_windows([4, 1], seed=14), random_windows([3, 5], seed=15)
    for window in second:
        window.targets[0] = True
    states = type(model.start(1)).concat([states_before(model, w)[-1] for w in first])
    cost = costs(model, collate(second), states)
    joined = [
        Window([*a.utterances, *b.utterances], np.concatenate([np.zeros(len(a.targets), bool), b.targets]))
        for a, b in zip(first, second, strict=True)
    ]
    close(cost.parts.nll, scored(model, joined, cost.latents))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("with_state", [False, True])
def test_a_window_may_hold_nothing_but_a_reply(name, with_state) -> None:
    """The last window of 129 turns of 128, and a conversation that opens with a reply."""
    model = make_model(name)
    words = random_windows([1, 3, 3], seed=16)
    alone = [Window(words[0].utterances, np.ones(1, dtype=bool))] * 2
    state = None
    if with_state:
        state = type(model.start(1)).concat([states_before(model, w)[-1] for w in words[1:]])
    cost = costs(model, collate(alone), state)
    before = words[1:] if with_state else [Window([], np.zeros(0, bool))] * 2
    joined = [
        Window([*b.utterances, *words[0].utterances], np.array([False] * len(b.utterances) + [True]))
        for b in before
    ]
    close(cost.parts.nll, scored(model, joined, cost.latents))


@pytest.mark.parametrize("name", NAMES)
def test_a_context_over_the_limit_is_read_by_its_first_tokens_and_a_target_counts_whole(name) -> None:
    model = make_model(name, max_utterance_tokens=5)
    random = np.random.default_rng(17)
    long, reply = random.integers(4, 30, 11).astype(np.int32), random.integers(4, 30, 9).astype(np.int32)
    targets = np.array([False, True])
    cost = costs(model, collate([Window([long, reply], targets)]))
    assert cost.parts.num_tokens.tolist() == [10]
    assert len(cost.logits[0]) == 10
    close(-cost.logits[0].log_softmax(1)[torch.arange(10), [*reply.tolist(), 3]].sum()[None], cost.parts.nll)
    close(cost.parts.nll, scored(model, [Window([long, reply], targets)], cost.latents))
    for place, is_read in ((4, True), (5, False), (10, False)):
        other = long.copy()
        other[place] = 4 + (other[place] + 1) % 26
        nll = scored(model, [Window([other, reply], targets)], cost.latents)
        assert ((nll - cost.parts.nll).abs() > 1e-9).all() == is_read
        by_loss = costs(model, collate([Window([other, reply], targets)]))
        assert ((by_loss.condition - cost.condition).abs() > 1e-9).any() == is_read


@pytest.mark.parametrize(("name", "more"), [(name, CONTEXT[name][1]) for name in NAMES])
def test_the_limit_holds_for_each_of_several_turns(name, more) -> None:
    """A long turn leaves no room to a short one beside it, nor takes the room that it leaves."""
    model = make_model(name, max_utterance_tokens=5, **more)
    random = np.random.default_rng(19)
    turns = [random.integers(4, 30, size).astype(np.int32) for size in (2, 11, 1, 6)]
    targets = np.array([False, False, False, True])
    cost = costs(model, collate([Window(turns, targets)]))
    close(cost.parts.nll, scored(model, [Window(turns, targets)], cost.latents))
    for turn, place, is_read in ((0, 1, True), (1, 4, True), (1, 5, False), (1, 10, False), (2, 0, True)):
        others = [words.copy() for words in turns]
        others[turn][place] = 4 + (others[turn][place] + 1) % 26
        by_loss = costs(model, collate([Window(others, targets)]))
        assert bool(((by_loss.condition - cost.condition).abs() > 1e-9).any()) == is_read
        nll = scored(model, [Window(others, targets)], cost.latents)
        assert bool((nll - cost.parts.nll).abs() > 1e-9) == is_read


@pytest.mark.parametrize("name", NAMES)
def test_attention_sums_to_one_over_real_places_and_is_zero_elsewhere(name) -> None:
    more = {"context_turns": 3, "max_context_tokens": 0} if name == "seq2seq" else {"attention_turns": 3}
    model = make_model(name, **more)
    windows = random_windows([4, 1, 2], seed=18)
    state = type(model.start(1)).concat([states_before(model, window)[-1] for window in windows])
    plan = model.plan(state, generators(3))
    assert plan.attention is None
    _, plan = model.step(torch.tensor([2, 2, 2]), plan)
    real = [sum(len(words) + 1 for words in window.utterances[-3:]) for window in windows]
    assert plan.mask.sum(1).tolist() == real
    close(plan.attention.sum(1), torch.ones(3, dtype=torch.float64))
    assert (plan.attention[~plan.mask] == 0).all()
    assert (plan.attention[plan.mask] > 0).all()
    nothing = model.plan(model.start(2), generators(2))
    logits, nothing = model.step(torch.tensor([2, 2]), nothing)
    assert logits.isfinite().all() and nothing.attention.sum() == 0
