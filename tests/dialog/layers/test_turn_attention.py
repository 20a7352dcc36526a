"""Tokens, then turns: one attention on what another one found in each turn."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from dialog.layers.attention import (
    AttentionOptions,
    HierarchicalAttention,
    attend,
    make_hierarchical_attention,
)
from tests.dialog.layers.attention_cases import KINDS, Whole, random
from tests.dialog.layers.attention_reference import SOFT

every_kind = pytest.mark.parametrize("name", KINDS)


def layer_of(name: str) -> Whole:
    torch.manual_seed(7)
    layer = make_hierarchical_attention(KINDS[name], 4, 4).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return Whole(layer.eval())


def problem() -> tuple[Tensor, Tensor, Tensor]:
    """Queries (3, 2, 4), values (3, 3, 4, 4) and a mask with an empty turn, and a row without any place."""
    mask = torch.zeros(3, 3, 4, dtype=torch.bool)
    mask[0, 0, :3], mask[0, 1, :4], mask[0, 2, 1:2] = True, True, True
    mask[1, 0, :2], mask[1, 2, :1] = True, True
    return random(3, 2, 4, seed=1), random(3, 3, 4, 4, seed=2), mask


@pytest.mark.parametrize("name", SOFT)
def test_it_is_one_attention_on_another_in_values_and_gradients(name) -> None:
    """Query by query in NumPy, with the gradients taken back by hand through both."""
    layer, (query, values, mask) = layer_of(name), problem()
    of_summary, of_weights = random(3, 2, 4, seed=3), random(3, 2, 3, 4, seed=4)
    every = {key: parameter.detach().numpy() for key, parameter in layer.named_parameters()}
    words, turns = (
        {key.removeprefix(f"layer.{part}."): p for key, p in every.items() if f".{part}." in key}
        for part in ("words", "turns")
    )
    wanted = {key: np.zeros_like(p) for key, p in every.items()}
    wanted |= {"query": np.zeros(query.shape), "values": np.zeros(values.shape)}
    summary, weights = np.zeros(of_summary.shape), np.zeros(of_weights.shape)
    run = SOFT[name]
    for row, time in product(range(3), range(2)):
        q, g, h = (array[row, time].numpy() for array in (query, of_summary, of_weights))
        real = [turn for turn in range(3) if mask[row, turn].any()]
        if not real:
            continue
        tokens = [values[row, turn, mask[row, turn]].numpy() for turn in real]
        places = [np.flatnonzero(mask[row, turn].numpy()) for turn in real]
        zeros = [np.zeros(len(s)) for s in tokens]
        inside = [run(words, q, s, 0 * g, zero) for s, zero in zip(tokens, zeros, strict=True)]
        found = np.stack([r for r, _, _ in inside])
        of_turns = np.array(
            [h[turn, at] @ a for turn, at, (_, a, _) in zip(real, places, inside, strict=True)]
        )
        summary[row, time], shares, across = run(turns, q, found, g, of_turns)
        for index, (turn, at, s) in enumerate(zip(real, places, tokens, strict=True)):
            arriving = across["values"][index], shares[index] * h[turn, at]
            _, inner, of = run(words, q, s, *arriving)
            weights[row, time, turn, at] = shares[index] * inner
            wanted["query"][row, time] += of.pop("query")
            wanted["values"][row, turn, at] += of.pop("values")
            for key, gradient in of.items():
                wanted[f"layer.words.{key}"] += gradient
        wanted["query"][row, time] += across.pop("query")
        del across["values"]
        for key, gradient in across.items():
            wanted[f"layer.turns.{key}"] += gradient
    leaves = {"query": query.requires_grad_(), "values": values.requires_grad_()} | dict(
        layer.named_parameters()
    )
    result = layer(query, values, mask)
    total = (result.summary * of_summary).sum() + (result.weights * of_weights).sum()
    gradients = dict(zip(leaves, torch.autograd.grad(total, list(leaves.values())), strict=True))
    pairs = [(result.summary, summary), (result.weights, weights)]
    for one, other in pairs + [(gradients[key], wanted[key]) for key in leaves]:
        torch.testing.assert_close(one, torch.from_numpy(other), atol=1e-10, rtol=0)


@every_kind
def test_weights_sum_to_one_over_real_places_of_all_turns(name) -> None:
    query, values, mask = problem()
    result = layer_of(name)(query, values, mask)
    assert result.weights.shape == (3, 2, 3, 4) and (result.weights >= 0).all()
    assert not result.weights[~mask[:, None].expand_as(result.weights)].any()
    wanted = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)[:, None].expand(3, 2)
    torch.testing.assert_close(result.weights.sum((2, 3)), wanted, atol=1e-12, rtol=0)
    assert not result.summary[2].any()


@every_kind
def test_padding_and_empty_turns_change_nothing_and_get_no_gradient(name) -> None:
    layer, (query, values, mask) = layer_of(name), problem()
    alone = layer(query, values, mask)
    more = torch.nn.functional.pad(values, (0, 0, 0, 2, 1, 0))
    more_mask = torch.nn.functional.pad(mask, (0, 2, 1, 0))
    for junk in (0.0, 1e6):
        filled = more.masked_fill(~more_mask[..., None], junk).requires_grad_()
        padded = layer(query, filled, more_mask)
        torch.testing.assert_close(padded.summary, alone.summary, atol=1e-12, rtol=0)
        torch.testing.assert_close(padded.weights[:, :, 1:, :4], alone.weights, atol=1e-12, rtol=0)
        gradient = torch.autograd.grad(padded.summary.sum() + padded.weights.square().sum(), filled)[0]
        assert gradient.isfinite().all() and not gradient[~more_mask].any()


@every_kind
def test_rows_and_queries_beside_change_nothing(name) -> None:
    layer, (query, values, mask) = layer_of(name), problem()
    together = layer(query, values, mask)
    for row, time in product(range(2), range(2)):
        alone = layer(query[row : row + 1, time : time + 1], values[row : row + 1], mask[row : row + 1])
        torch.testing.assert_close(alone.summary[0, 0], together.summary[row, time], atol=1e-12, rtol=0)
        torch.testing.assert_close(alone.weights[0, 0], together.weights[row, time], atol=1e-12, rtol=0)


@every_kind
@pytest.mark.parametrize("shape", [(3, 0, 4), (3, 2, 0), (0, 2, 3)], ids=str)
def test_nothing_to_look_at_gives_zeros(name, shape) -> None:
    rows, turns, times = shape
    values, mask = torch.zeros(rows, turns, times, 4).double(), torch.zeros(shape, dtype=torch.bool)
    result = layer_of(name)(random(rows, 2, 4), values, mask)
    assert result.summary.shape == (rows, 2, 4) and not result.summary.any()
    assert result.weights.shape == (rows, 2, turns, times)


def test_with_one_turn_it_is_the_attention_over_its_tokens() -> None:
    layer, (query, values, mask) = layer_of("general"), problem()
    result = layer(query, values[:, :1], mask[:, :1])
    keys, _ = layer.layer.words.project(values[:, 0])
    summary, weights = attend(query, keys, values[:, 0], mask[:, 0])
    torch.testing.assert_close(result.summary, summary, atol=1e-12, rtol=0)
    torch.testing.assert_close(result.weights[:, :, 0], weights, atol=1e-12, rtol=0)


def test_the_log_probability_of_a_choice_is_that_of_all_draws_it_depends_on() -> None:
    """Of the turn, and of the places in all real turns, since the turns are compared by what was found."""
    made = make_hierarchical_attention(AttentionOptions("hard", hard_training="reinforce"), 4, 4)
    assert isinstance(made, HierarchicalAttention)
    layer, (query, values, mask) = made.double().train(), problem()
    result = Whole(layer)(query, values, mask, torch.Generator().manual_seed(1))
    assert result.choice_log_probability is not None
    generator = torch.Generator().manual_seed(1)
    keys, _ = layer.words.project(values)
    repeated = query[:, None].expand(3, 3, 2, 4).flatten(0, 1)
    inside = layer.words(repeated, keys.flatten(0, 1), values.flatten(0, 1), mask.flatten(0, 1), generator)
    found = inside.summary.view(3, 3, 2, 4)
    for row, time in product(range(2), range(2)):
        real = mask[row].any(1)
        energies = found[row, :, time] @ layer.turns.key.weight.T @ query[row, time]
        turn = int(result.weights[row, time].sum(1).argmax())
        of_turn = torch.log_softmax(energies.masked_fill(~real, -torch.inf), dim=0)[turn]
        of_places = inside.choice_log_probability.view(3, 3, 2)[row, real, time].sum()
        torch.testing.assert_close(result.choice_log_probability[row, time], of_turn + of_places)
    assert not result.choice_log_probability[2].any()
