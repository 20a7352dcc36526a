"""The laws of autoencoders of utterances: what a target costs is what it costs to say it again from its own code."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dialog.errors import ConfigError, UsageError
from dialog.models.base import LossParts, ReplyModel
from dialog.models.options import EncoderSettings, HierarchicalSettings
from dialog.models.registry import model_class
from dialog.text.batches import Batch, Utterances, Window, collate, utterances_of
from tests.dialog.models.tiny import (
    AUTOENCODERS,
    generators,
    make_model,
    random_windows,
    random_words,
    states_before,
    stepped_logits,
)

MEMBERS: dict[str, dict[str, Any]] = {
    "gru": {},
    "deep": {"layers": 3, "residual_from": 2, "layer_norm": True},
    "lstm": {"encoder_cell": "lstm", "decoder_cell": "lstm", "time_skips": "2"},
    "esn": {"encoder_cell": "esn", "decoder_cell": "leaky", "encoder_directions": "forward"},
}
CASES = [(name, member) for name in AUTOENCODERS for member in MEMBERS]


def make(name: str, member: str = "gru", dtype: torch.dtype = torch.float64, **more: Any) -> ReplyModel:
    return make_model(name, dtype, **MEMBERS[member], **more)


def close(one: Tensor, other: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(one, other, atol=tolerance, rtol=0)


def costs(model: ReplyModel, batch: Batch, state: Any = None) -> tuple[LossParts, Tensor]:
    """Returns what `loss` gives, and the codes (reply, code) that it decodes from."""
    seen = []
    hook = model.decoder.initial.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    parts = model.loss(batch, torch.Generator().manual_seed(5), state)
    hook.remove()
    return parts, seen[0]


def scored(model: ReplyModel, windows: list[Window], codes: Tensor | None) -> Tensor:
    """Returns the NLL of each target after `start`, `observe` of itself, and `plan`, a batch of one each."""
    results = []
    for window in windows:
        for turn in np.flatnonzero(window.targets):
            itself = utterances_of([window.utterances[turn]])
            given = None if codes is None else codes[len(results)][None]
            plan = model.plan(model.observe(model.start(1), itself), generators(1), given)
            results.append(-model.score(plan, itself).sum())
    return torch.stack(results)


@pytest.mark.parametrize(("name", "member"), CASES)
def test_a_target_costs_what_it_costs_to_say_it_again(name, member) -> None:
    model = make(name, member)
    windows = random_windows([5, 2, 7, 3], seed=11)
    windows[2].targets[1] = False  # a turn that is not scored
    windows[3].targets[0] = True  # a first turn that is
    parts, codes = costs(model, collate(windows))
    close(parts.nll, scored(model, windows, codes if model.is_latent else None))
    lengths = [len(w) + 1 for one in windows for w, t in zip(one.utterances, one.targets, strict=True) if t]
    assert parts.num_tokens.tolist() == lengths
    alone = [costs(model, collate([window])) for window in windows]
    if not model.is_latent:  # the codes are drawn anew for each
        close(torch.cat([part.nll for part, _ in alone]), parts.nll)
        close(torch.cat([code for _, code in alone]), codes)


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_nothing_that_was_said_before_matters(name) -> None:
    model = make(name)
    (window,), (other,) = random_windows([4], seed=1), random_windows([4], seed=2)
    before = type(model.start(1)).concat([states_before(model, other)[-1]])
    first, again = costs(model, collate([window])), costs(model, collate([window]), before)
    close(first[0].nll, again[0].nll)
    itself = utterances_of([window.utterances[3]])
    for state in (model.start(1), before):
        read = model.observe(state, itself)
        close(model.codes(read, generators(1)), model.codes(states_before(model, window)[4], generators(1)))
        assert read.num_bytes == model.observe(model.start(1), itself).num_bytes


@pytest.mark.parametrize(("name", "member"), CASES)
def test_step_by_step_is_the_score_and_float32_is_near(name, member) -> None:
    windows = random_windows([4, 2, 6], seed=2)
    texts = utterances_of([window.utterances[-1] for window in windows])
    words = utterances_of([random_words(np.random.default_rng(9), 7) for _ in windows])
    codes = torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = []
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        model = make(name, member, dtype)
        state = model.observe(model.start(3), texts)
        for given in (None, codes.to(dtype)):
            plan = model.plan(state, generators(3), given)
            steps = stepped_logits(model, plan, words).log_softmax(2)
            steps = steps.gather(2, words.tokens[:, :, None])[:, :, 0]
            real = torch.arange(words.tokens.shape[1]) < words.lengths[:, None]
            whole = model.score(plan, words)
            close(whole, torch.where(real, steps, 0.0), tolerance)
            found.append(whole.double())
    close(found[0], found[2], 1e-4)
    close(found[1], found[3], 1e-4)
    assert not torch.isclose(found[0], found[1]).all()


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_more_padding_changes_nothing(name) -> None:
    model = make(name, "deep")
    batch = collate(random_windows([5, 2, 4], seed=12))
    wide = Utterances(torch.nn.functional.pad(batch.utterances.tokens, (0, 5)), batch.utterances.lengths)
    padded = Batch(wide, batch.rows, batch.targets, batch.target_conversations, batch.target_turns)
    close(costs(model, batch)[0].nll, costs(model, padded)[0].nll)
    text, wider = batch.utterances.select(torch.tensor([2])), Utterances(wide.tokens[2:3], wide.lengths[2:3])
    plans = [model.plan(model.observe(model.start(1), rows), generators(1)) for rows in (text, wider)]
    close(model.score(plans[0], text), model.score(plans[1], text))
    close(model.score(plans[0], text), model.score(plans[1], wider)[:, : text.tokens.shape[1]])


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_rows_are_joined_and_chosen_and_say_what_they_say_alone(name) -> None:
    model = make(name)
    texts = [utterances_of([random_words(np.random.default_rng(n), n)]) for n in (7, 1, 4)]
    states = [model.observe(model.start(1), text) for text in texts]
    joined = type(states[0]).concat(states)
    together = model.codes(joined, generators(3))
    for row, state in enumerate(states):
        close(model.codes(state, generators(1, row))[0], together[row])
    plan = model.plan(joined, generators(3))
    tokens = torch.tensor([2, 2, 2, 2])
    logits, _ = model.step(tokens, type(plan).concat([plan.select([2]), plan]))
    alone = [model.step(tokens[:1], model.plan(state, generators(1, n)))[0] for n, state in enumerate(states)]
    close(logits, torch.cat([alone[2], *alone]))


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_a_code_tells_of_as_many_tokens_as_are_read_and_the_target_counts_whole(name) -> None:
    model = make(name, max_utterance_tokens=5)
    draw = np.random.default_rng(17)
    long = draw.integers(4, 30, 9).astype(np.int32)
    window = Window([long[:1], long], np.array([False, True]))
    parts, codes = costs(model, collate([window]))
    assert parts.num_tokens.tolist() == [10]
    close(parts.nll, scored(model, [window], codes if model.is_latent else None))
    for place in range(9):
        other = long.copy()
        other[place] = 4 + (other[place] + 1) % 26
        changed = costs(model, collate([Window([long[:1], other], window.targets)]))[1]
        assert ((changed - codes).abs() > 1e-9).any() == (place < 5)


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_plan_decodes_from_the_codes_of_its_generators_or_from_given_ones(name) -> None:
    model = make(name)
    text = utterances_of([[5, 6, 7], [8, 9, 10]])
    state = model.observe(model.start(2), text)
    own = model.codes(state, generators(2))
    scores = model.score(model.plan(state, generators(2)), text)
    close(model.score(model.plan(model.start(2), generators(2, 50), own), text), scores)
    swapped = model.score(model.plan(state, generators(2), own.flip(0)), text)
    assert not torch.isclose(swapped, scores).all(1).any()
    with pytest.raises(UsageError, match="codes of 4 numbers were given, but those of this model have 3"):
        model.plan(state, generators(2), torch.zeros(2, 4))


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_nothing_can_be_said_again_too(name) -> None:
    """A conversation without a turn has a code of its own, also beside others."""
    model = make(name)
    text = utterances_of([[5, 6, 7]])
    both = type(model.start(1)).concat([model.start(1), model.observe(model.start(1), text)])
    codes = model.codes(both, generators(2))
    assert codes.isfinite().all()
    close(codes[0], model.codes(model.start(1), generators(1))[0])
    close(codes[1], model.codes(model.observe(model.start(1), text), generators(1, 1))[0])


@pytest.mark.parametrize(("name", "member"), CASES)
def test_every_parameter_gets_a_gradient(name, member) -> None:
    more = (
        {"bag_of_words": True}
        if "bag_of_words" in model_class(name).config_class.__dataclass_fields__
        else {}
    )
    model = make(name, member, **more).train()
    parts = model.loss(collate(random_windows([5, 3, 4], seed=1)), torch.Generator().manual_seed(3))
    total = parts.nll.sum() + sum(term.sum() for term in parts.auxiliary.values())
    (total if parts.kl is None else total + parts.kl.sum()).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name
        rows = parameter.grad.flatten(1) if parameter.dim() > 1 else parameter.grad[:, None]
        assert (rows[3:] if parameter_name == "table.weight" else rows).ne(0).any(1).all(), parameter_name
        assert (rows != 0).any(0).all(), parameter_name


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_what_would_look_past_the_code_is_refused_by_name(name) -> None:
    config_class = model_class(name).config_class
    others = {
        f for f in HierarchicalSettings.__dataclass_fields__ if f not in EncoderSettings.__dataclass_fields__
    }
    assert len(others) > 9 and not others & set(config_class.__dataclass_fields__)
    for field in others:
        reason = "past the code" if "attention" in field or "hard" in field else "no context"
        with pytest.raises(ConfigError, match=f"has no setting '{field}': .*{reason}"):
            config_class.from_json({field: 1})


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_ways_between_codes_begin_and_end_at_them(name) -> None:
    model = make(name)
    first, last = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    shares = torch.tensor([0.0, 1.0, 0.5, 0.2, 0.8], dtype=torch.float64)
    way = model.between(first, last, shares)
    close(way[0], first[0])
    close(way[1], last[1])
    close(model.between(last, first, 1 - shares), way)
    assert not torch.isclose(way[2:], first[2:]).any() and not torch.isclose(way[2:], last[2:]).any()
