"""What holds for every kind of attention: it is its paper's equation, over the real places alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dialog.errors import ConfigError
from dialog.layers.attention import ATTENTIONS, AttentionOptions, make_attention, make_hierarchical_attention
from tests.dialog.layers.attention_cases import KINDS, SIZE, Whole, attended, layer_of, problem, random
from tests.dialog.layers.attention_reference import SOFT, reference

every_kind = pytest.mark.parametrize("name", KINDS)


def test_every_kind_is_tested_here() -> None:
    assert {options.kind for options in KINDS.values()} | {"none"} == set(ATTENTIONS)


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_it_is_the_papers_equation_in_values_and_gradients(name, dtype, tolerance) -> None:
    query_size = SIZE if name == "dot" else 6
    layer = layer_of(name, query_size)
    query, values, mask = problem(query_size)
    of_summary, of_weights = random(4, 2, layer.summary_size, seed=3), random(4, 2, 5, seed=4)
    parameters = {key: parameter.detach().numpy() for key, parameter in layer.named_parameters()}
    given = (query.numpy(), values.numpy(), mask.numpy(), of_summary.numpy(), of_weights.numpy())
    summary, weights, gradients = reference(name, {k: p.copy() for k, p in parameters.items()}, *given)
    layer = layer.to(dtype)
    leaves = {"query": query.to(dtype).requires_grad_(), "values": values.to(dtype).requires_grad_()}
    ours = attended(layer, leaves["query"], leaves["values"], mask)
    leaves |= dict(layer.named_parameters())
    arriving = (ours.summary * of_summary.to(dtype)).sum() + (ours.weights * of_weights.to(dtype)).sum()
    computed = dict(zip(leaves, torch.autograd.grad(arriving, list(leaves.values())), strict=True))
    pairs = [(ours.summary, summary), (ours.weights, weights)]
    assert computed.keys() == gradients.keys()
    for one, other in pairs + [(computed[key], gradients[key]) for key in computed]:
        torch.testing.assert_close(one.double(), torch.from_numpy(other), atol=tolerance, rtol=tolerance)


@every_kind
def test_gradients_are_those_of_small_steps(name) -> None:
    layer = Whole(layer_of(name))
    query, values, mask = problem()
    keys = [key for key, _ in layer.named_parameters()]

    def run(query: Tensor, values: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        given = dict(zip(keys, parameters, strict=True))
        result = torch.func.functional_call(layer, given, (query, values, mask))
        return result.summary, result.weights

    assert torch.autograd.gradcheck(
        run, [query.requires_grad_(), values.requires_grad_(), *layer.parameters()]
    )


@every_kind
def test_weights_sum_to_one_over_real_places_and_are_zero_elsewhere(name) -> None:
    query, values, mask = problem()
    weights = attended(layer_of(name), query, values, mask).weights
    assert (weights >= 0).all() and not weights[~mask[:, None].expand_as(weights)].any()
    wanted = mask.any(1).double()[:, None].expand(4, 2)
    torch.testing.assert_close(weights.sum(2), wanted, atol=1e-12, rtol=0)


@every_kind
def test_a_row_without_any_place_gives_zeros_and_no_gradient(name) -> None:
    layer, (query, values, _) = layer_of(name), problem()
    leaves = [query.requires_grad_(), values.requires_grad_(), *layer.parameters()]
    for chosen in (values, values[:, :0]):
        mask = torch.zeros(chosen.shape[:2], dtype=torch.bool)
        result = attended(layer, query, chosen, mask)
        assert result.summary.shape == (4, 2, layer.summary_size) and not result.summary.any()
        assert result.weights.shape == (4, 2, chosen.shape[1]) and not result.weights.any()
        total = result.summary.sum() + result.weights.sum()
        if total.requires_grad:
            for gradient in torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True):
                assert not gradient.any()


@every_kind
def test_padding_changes_nothing_and_gets_no_gradient(name) -> None:
    """Whatever stands on it: encoders leave zeros there, but nothing rests on that."""
    layer, (query, values, mask) = layer_of(name), problem()
    alone = attended(layer, query, values, mask)
    more = torch.cat([values, random(4, 3, SIZE)], dim=1)
    more_mask = torch.cat([mask, torch.zeros(4, 3, dtype=torch.bool)], dim=1)
    for junk in (0.0, 1e6, -1e6):
        filled = more.masked_fill(~more_mask[:, :, None], junk).requires_grad_()
        padded = attended(layer, query, filled, more_mask)
        torch.testing.assert_close(padded.summary, alone.summary, atol=1e-12, rtol=0)
        torch.testing.assert_close(padded.weights[:, :, :5], alone.weights, atol=1e-12, rtol=0)
        gradient = torch.autograd.grad(padded.summary.sum() + padded.weights.square().sum(), filled)[0]
        assert gradient.isfinite().all() and not gradient[~more_mask].any()


@every_kind
def test_rows_and_queries_beside_change_nothing(name) -> None:
    layer, (query, values, mask) = layer_of(name), problem()
    together = attended(layer, query, values, mask)
    for row, time in ((0, 0), (1, 1), (3, 0)):
        picked = slice(row, row + 1), slice(time, time + 1)
        alone = attended(layer, query[picked], values[row : row + 1], mask[row : row + 1])
        torch.testing.assert_close(alone.summary, together.summary[picked], atol=1e-12, rtol=0)
        torch.testing.assert_close(alone.weights, together.weights[picked], atol=1e-12, rtol=0)


@every_kind
def test_the_order_of_the_places_is_not_known_to_it(name) -> None:
    layer, (query, values, mask) = layer_of(name), problem()
    order = torch.tensor([3, 0, 4, 1, 2])
    shuffled = attended(layer, query, values[:, order], mask[:, order])
    straight = attended(layer, query, values, mask)
    torch.testing.assert_close(shuffled.summary, straight.summary, atol=1e-12, rtol=0)
    torch.testing.assert_close(shuffled.weights, straight.weights[:, :, order], atol=1e-12, rtol=0)


@every_kind
def test_what_is_projected_of_zeros_is_zero(name) -> None:
    """So that keys of tokens can be laid out with zeros between."""
    for projected in layer_of(name).project(torch.zeros(2, 3, SIZE, dtype=torch.float64)):
        assert projected.shape[:2] == (2, 3) and not projected.any()


@every_kind
def test_evaluation_draws_nothing(name) -> None:
    layer, generator = Whole(layer_of(name)), torch.Generator().manual_seed(1)
    before = generator.get_state(), torch.get_rng_state()
    layer(*problem(), generator)
    assert torch.equal(generator.get_state(), before[0]) and torch.equal(torch.get_rng_state(), before[1])


@every_kind
def test_half_precision_stays_near(name) -> None:
    layer, problem_ = layer_of(name).float(), [tensor.float() for tensor in problem()[:2]]
    mask = problem()[2]
    exact = attended(layer, *problem_, mask)
    with torch.autocast("cpu", torch.bfloat16):
        half = attended(layer, *problem_, mask)
    torch.testing.assert_close(half.weights.sum(2).float(), exact.weights.sum(2), atol=0.01, rtol=0)
    assert (half.weights.float() - exact.weights).abs().max() < 0.1
    leaves = [leaf.requires_grad_() for leaf in (*problem_, *layer.parameters())]
    with torch.autocast("cpu", torch.bfloat16):
        total = attended(layer, *problem_, mask).summary.float().sum()
    gradients = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    assert all(gradient.isfinite().all() and gradient.dtype == torch.float32 for gradient in gradients)


SOURCE_PRODUCTS = {
    "additive": lambda q, v: q * v,
    "dot": lambda q, v: 0,
    "general": lambda q, v: q * v,
    "multihead": lambda q, v: 2 * v * v,
    "hard": lambda q, v: q * v,
}
TARGET_PRODUCTS = {
    "additive": lambda q, v, s: q * q + s * v,  # torch does not count the product with v_a, s * q
    "dot": lambda q, v, s: 2 * s * v,
    "general": lambda q, v, s: s * (q + v),
    "multihead": lambda q, v, s: q * v + 2 * s * v + v * v,
    "hard": lambda q, v, s: s * (q + v),
}


def products(run: Callable[[], object]) -> float:
    """Multiplications in the matrix products of `run`."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2


@every_kind
def test_it_costs_what_its_page_says(name) -> None:
    """As `docs/attention.md` has it, for one kind and for tokens then turns."""
    value, times, places, turns = SIZE, 3, 5, 2
    query = value if name == "dot" else 6
    asking, mask = torch.zeros(1, times, query), torch.ones(1, turns, places, dtype=torch.bool)
    layer = make_attention(KINDS[name], query, value).eval()
    assert products(lambda: layer.project(torch.zeros(1, places, value))) == places * SOURCE_PRODUCTS[name](
        query, value
    )
    projected = layer.project(torch.zeros(1, places, value))
    of_tokens = TARGET_PRODUCTS[name](query, value, places)
    assert products(lambda: layer(asking, *projected, mask[:, 0])) == times * of_tokens
    both = make_hierarchical_attention(KINDS[name], query, value).eval()
    projected = both.project(torch.zeros(1, turns, places, value))
    of_turns = TARGET_PRODUCTS[name](query, value, turns) + turns * SOURCE_PRODUCTS[name](query, value)
    assert products(lambda: both(asking, *projected, mask)) == times * (turns * of_tokens + of_turns)


def test_dot_refuses_sizes_that_differ() -> None:
    with pytest.raises(ConfigError, match=r"attention=dot .* but they have 3 and 4; .*attention=general"):
        make_attention(AttentionOptions("dot"), 3, 4)


def test_what_is_no_kind_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="attention=soft is no kind of attention; take one of none, additive"
    ):
        AttentionOptions("soft")
    with pytest.raises(ConfigError, match="attention=none is no layer"):
        make_attention(AttentionOptions("none"), 3, 3)
