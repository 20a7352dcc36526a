"""The Transformer as a reply model: what it reads of a context, its cache, and the whole against torch's."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dialog.errors import ConfigError, UsageError
from dialog.models.base import ReplyModel
from dialog.models.recent import last_tokens
from dialog.models.transformer import TransformerConfig
from dialog.text.batches import BOS, EOS, Window, collate, utterances_of
from tests.dialog.layers.test_transformer import torchs
from tests.dialog.layers.transformer_reference import sinusoid
from tests.dialog.models.tiny import (
    generators,
    greedy,
    make_model,
    random_windows,
    scored,
    states_before,
    stepped_logits,
)


def close(one: Tensor, other: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(one, other, atol=tolerance, rtol=0)


def costs(model: ReplyModel, *windows: Window) -> Tensor:
    return model.loss(collate(windows), torch.Generator()).nll.detach()


def vectors(model: ReplyModel, tokens: list[int], places: list[int]) -> Tensor:
    embedded = model.table.weight[tokens] * math.sqrt(model.config.embedding_size)
    sines = np.stack([sinusoid(place, model.config.embedding_size) for place in places])
    return embedded + torch.from_numpy(sines)


@pytest.mark.parametrize("layers", [1, 3])
def test_the_whole_is_torchs_encoder_and_decoder_with_the_same_weights(layers) -> None:
    model = make_model("transformer", layers=layers, context_turns=3, max_context_tokens=100)
    window = random_windows([4], seed=2)[0]
    turns = [[*words.tolist(), EOS] for words in window.utterances]
    source = vectors(
        model, [t for turn in turns[:3] for t in turn], [i for turn in turns[:3] for i in range(len(turn))]
    )
    source = source + model.turns[[2 - i for i, turn in enumerate(turns[:3]) for _ in turn]]
    for layer in model.encoder.layers:
        source = torchs(layer)(source[None])[0]
    source = model.encoder.norm(source)
    said = vectors(model, [BOS, *turns[3][:-1]], list(range(len(turns[3]))))
    mask = nn.Transformer.generate_square_subsequent_mask(len(said), dtype=torch.float64)
    for layer in model.decoder.layers:
        said = torchs(layer)(said[None], source[None], tgt_mask=mask, tgt_is_causal=True)[0]
    wanted = (model.decoder.norm(said) @ model.table.weight.T).log_softmax(1)
    nll = -wanted[range(len(said)), turns[3]].sum()
    close(costs(model, window)[2], nll.detach())
    plan = model.plan(states_before(model, window)[3], generators(1))
    steps = stepped_logits(model, plan, utterances_of([window.utterances[3]]))
    close(steps[0].log_softmax(1), wanted)


@pytest.mark.parametrize("limit", [1, 4, 100])
def test_the_last_tokens_of_joined_turns_know_their_turn_and_their_place(limit) -> None:
    tokens = torch.tensor([[[5, 6, 7], [8, 0, 0], [9, 10, 0]], [[0] * 3, [0] * 3, [11, 12, 13]]])
    found = last_tokens(tokens, torch.tensor([[3, 1, 2], [0, 0, 3]]), limit)
    wanted = [
        [(5, 2, 0), (6, 2, 1), (7, 2, 2), (8, 1, 0), (9, 0, 0), (10, 0, 1)],
        [(11, 0, 0), (12, 0, 1), (13, 0, 2)],
    ]
    for row, one in enumerate(wanted):
        length = int(found.lengths[row])
        got = torch.stack([found.tokens, found.turns, found.places], dim=2)[row, :length]
        assert got.tolist() == [list(each) for each in one[-limit:]]


@pytest.mark.parametrize("limit", [1, 5, 12, 50])
def test_it_reads_exactly_the_last_tokens_of_its_context(limit) -> None:
    model = make_model("transformer", context_turns=4, max_context_tokens=limit)
    words = [np.array(w, dtype=np.int32) for w in ([4, 5, 6], [7], [8, 9], [10, 11, 12], [13, 14])]
    targets = np.array([False] * 4 + [True])
    before = costs(model, Window(words, targets))
    close(before, scored(model, [Window(words, targets)], None).detach())
    lengths = [len(w) + 1 for w in words[:4]]
    for turn in range(4):
        for place in range(len(words[turn])):
            others = [w.copy() for w in words]
            others[turn][place] = 25
            from_end = sum(lengths[turn:]) - place
            after = Window(others, targets)
            changed = (costs(model, after) - before).abs() > 1e-9
            assert bool(changed) == (from_end <= limit)
            assert bool((scored(model, [after], None) - before).abs() > 1e-9) == (from_end <= limit)


def test_the_limit_of_an_utterance_holds_for_each_turn_and_no_target_is_cut() -> None:
    model = make_model("transformer", context_turns=3, max_utterance_tokens=3, max_context_tokens=50)
    words = [np.array(w, dtype=np.int32) for w in ([4, 5], [6, 7, 8, 9, 10], [11], [12] * 7)]
    targets = np.array([False] * 3 + [True])
    parts = model.loss(collate([Window(words, targets)]), torch.Generator())
    assert parts.num_tokens.tolist() == [8]
    for turn, place, is_read in ((0, 1, True), (1, 2, True), (1, 3, False), (1, 4, False), (2, 0, True)):
        others = [w.copy() for w in words]
        others[turn][place] = 25
        assert bool((costs(model, Window(others, targets)) - parts.nll).abs() > 1e-9) == is_read


def test_turns_and_places_are_told_apart() -> None:
    """The same words in another order of turns, or of words, or cut into other turns, are another context."""
    model = make_model("transformer", context_turns=3, max_context_tokens=50)
    found = set()
    for context in ([[5, 6], [7]], [[7], [5, 6]], [[6, 5], [7]], [[5], [6], [7]], [[5, 6, 7]]):
        state = model.start(1)
        for words in context:
            state = model.observe(state, utterances_of([words]))
        score = model.score(model.plan(state, generators(1)), utterances_of([[8, 9]]))
        found.add(round(float(score.detach().sum()), 9))
    assert len(found) == 5


def test_a_reply_may_be_longer_than_any_in_training() -> None:
    model = make_model("transformer", layers=2)
    state = states_before(model, random_windows([3])[0])[-1]
    long = utterances_of([np.random.default_rng(1).integers(4, 30, 300)])
    plan = model.plan(state, generators(1))
    steps = stepped_logits(model, plan, long).log_softmax(2).gather(2, long.tokens[:, :, None])[:, :, 0]
    close(steps, model.score(plan, long))


def test_the_cache_is_as_long_as_its_longest_row_whoever_has_left() -> None:
    model = make_model("transformer", layers=2)
    plans = [model.plan(states_before(model, w)[-1], generators(1)) for w in random_windows([2, 3])]
    long, token = plans[0], torch.tensor([5])
    with torch.no_grad():
        for _ in range(20):
            _, long = model.step(token, long)
        both = type(long).concat([long, plans[1]])
        _, both = model.step(torch.tensor([5, BOS]), both)
        assert both.own_key.shape[2] == 21 and both.lengths.tolist() == [21, 1]
        wanted, alone = model.step(torch.tensor([BOS]), plans[1])
        short = both.select([1])
        for _ in range(3):
            logits, short = model.step(token, short)
            wanted, alone = model.step(token, alone)
            close(logits, wanted)
            assert short.own_key.shape == alone.own_key.shape
            close(short.own_key, alone.own_key)


def test_several_replies_to_one_context_encode_it_once() -> None:
    model, rows = make_model("transformer", context_turns=3), []
    hook = model.encoder.register_forward_hook(lambda _, given, __: rows.append(len(given[1])))
    windows = random_windows([3, 2, 4], seed=5)
    states = type(model.start(1)).concat([states_before(model, w)[-1] for w in windows])
    order = [2, 0, 0, 2, 1, 0]
    together = model.plan(states.select(order), generators(6))
    hook.remove()
    assert rows == [3]
    apart = model.plan(states, generators(3)).select(order)
    reply = utterances_of([[5, 6, 7]] * 6)
    close(model.score(together, reply), model.score(apart, reply))


def test_attention_sums_to_one_over_what_is_read_and_is_zero_elsewhere() -> None:
    model = make_model("transformer", layers=2, context_turns=3, max_context_tokens=9)
    windows = random_windows([4, 1, 2], seed=18)
    state = type(model.start(1)).concat([states_before(model, window)[-1] for window in windows])
    plan = model.plan(state, generators(3))
    assert plan.attention is None
    _, plan = model.step(torch.tensor([2, 2, 2]), plan)
    real = [min(9, sum(len(words) + 1 for words in window.utterances[-3:])) for window in windows]
    assert plan.mask.sum(1).tolist() == real
    close(plan.attention.sum(1), torch.ones(3, dtype=torch.float64))
    assert (plan.attention[~plan.mask] == 0).all() and (plan.attention[plan.mask] > 0).all()
    nothing = model.plan(model.start(2), generators(2))
    logits, nothing = model.step(torch.tensor([2, 2]), nothing)
    assert logits.isfinite().all() and nothing.attention.sum() == 0


def test_a_step_goes_back_through_all_steps_before() -> None:
    """Decoding can be differentiated: nothing of a state is written over."""
    model = make_model("transformer")
    plan = model.plan(states_before(model, random_windows([3])[0])[-1], generators(1))
    reply = utterances_of([[5, 6, 7]])
    steps = stepped_logits(model, plan, reply).log_softmax(2).gather(2, reply.tokens[:, :, None]).sum()
    parameters = list(model.parameters())
    by_steps = torch.autograd.grad(steps, parameters, retain_graph=True)
    at_once = torch.autograd.grad(model.score(plan, reply).sum(), parameters)
    for one, other in zip(by_steps, at_once, strict=True):
        close(one, other)


def test_heads_must_share_the_size() -> None:
    with pytest.raises(ConfigError, match=r"embedding_size is 10, but must be a multiple of heads \(4\)"):
        TransformerConfig(embedding_size=10)


def test_latents_are_refused() -> None:
    model = make_model("transformer")
    with pytest.raises(UsageError, match="transformer has no latent variable"):
        model.plan(model.start(1), generators(1), torch.zeros(1, 3))


def test_weights_of_another_run_are_taken_over_and_other_sizes_are_refused() -> None:
    first, second = make_model("transformer"), make_model("transformer", seed=2)
    assert len(second.initialise_from(first.state_dict())) == len(list(second.parameters()))
    window = random_windows([4])[0]
    assert torch.equal(costs(first, window), costs(second, window))
    with pytest.raises(ConfigError, match="set the same sizes"):
        make_model("transformer", context_turns=5).initialise_from(first.state_dict())


def test_eight_conversations_are_learned_by_heart() -> None:
    model = make_model("transformer", torch.float32, embedding_size=24, feedforward_size=48).train()
    with torch.no_grad():
        model.table.weight.mul_(0.25)
    windows = random_windows([4] * 8, seed=21)
    batch, optimizer = collate(windows), torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.1, 120)
    for _ in range(120):
        parts = model.loss(batch, torch.Generator())
        optimizer.zero_grad()
        (parts.nll.sum() / parts.num_tokens.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    assert float(parts.nll.detach().sum() / parts.num_tokens.sum()) < 0.1
    model.eval()
    for window in windows:
        for state, words in list(zip(states_before(model, window), window.utterances, strict=False))[1:]:
            assert greedy(model, model.plan(state, generators(1)), 12) == words.tolist()
