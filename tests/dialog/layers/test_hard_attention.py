"""Hard attention takes one place; what it learns from is the gradient that its paper derives."""

from itertools import product

import pytest
import torch
from torch import Tensor

from dialog.errors import ConfigError, UsageError
from dialog.layers import hard_attention
from dialog.layers.attention import AttentionOptions, HardAttention, make_attention, reinforce_term
from tests.dialog.layers.attention_cases import Whole, attended, problem, random

every_estimator = pytest.mark.parametrize("estimator", ["gumbel", "reinforce"])


def layer_of(estimator: str, temperature: float = 1.0) -> Whole:
    torch.manual_seed(7)
    made = make_attention(AttentionOptions("hard", hard_training=estimator, temperature=temperature), 4, 4)
    return Whole(made.double())


def energies_of(layer: Whole, query: Tensor, values: Tensor) -> Tensor:
    return query @ layer.layer.project(values)[0].transpose(1, 2)


@every_estimator
def test_outside_training_it_takes_the_most_probable_real_place(estimator) -> None:
    layer, (query, values, mask) = layer_of(estimator).eval(), problem()
    result = layer(query, values, mask)
    energies = energies_of(layer, query, values).masked_fill(~mask[:, None], -torch.inf)
    for row, time in product((0, 1, 3), range(2)):
        place = int(energies[row, time].argmax())
        assert result.weights[row, time].tolist() == [float(other == place) for other in range(5)]
        assert torch.equal(result.summary[row, time], values[row, place])
    assert result.choice_log_probability is None


@every_estimator
def test_in_training_each_query_gets_exactly_one_real_place(estimator) -> None:
    layer, (query, values, mask) = layer_of(estimator).train(), problem()
    result = layer(query, values, mask, torch.Generator().manual_seed(1))
    assert set(result.weights.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(result.weights.sum(2), mask.any(1).double()[:, None].expand(4, 2))
    assert not result.weights[~mask[:, None].expand_as(result.weights)].any()
    assert not result.summary[2].any()


@every_estimator
def test_draws_come_from_the_given_generator_alone(estimator) -> None:
    layer, (query, values, mask) = layer_of(estimator).train(), problem()
    query = query.expand(4, 2, 4).repeat(1, 20, 1)
    before = torch.get_rng_state()
    weights = [layer(query, values, mask, torch.Generator().manual_seed(seed)).weights for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(UsageError, match="draws its places in training; give it a generator"):
        layer(query, values, mask)


@every_estimator
def test_draws_follow_the_weights(estimator) -> None:
    """Chi-square of 40,000 draws over four real places, below its 99.9 % quantile."""
    layer = layer_of(estimator).train()
    mask = torch.tensor([[True, True, False, True, True]])
    energies = torch.tensor([2.0, 1.0, 9.0, 0.0, 1.5], dtype=torch.float64)
    query = torch.eye(4, dtype=torch.float64)[:1].expand(1, 40_000, 4)
    key = torch.nn.functional.pad(energies[None, :, None], (0, 3))
    weights = layer.layer(query, key, key, mask, torch.Generator().manual_seed(3)).weights[0]
    expected = 40_000 * torch.softmax(energies[mask[0]], dim=0)
    assert expected.min() > 2_000  # or the test could not tell
    drawn = weights[:, mask[0]].sum(0)
    assert drawn.sum() == 40_000 and ((drawn - expected).square() / expected).sum() < 16.27


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_gumbels_gradient_is_that_of_the_relaxed_weights(temperature, monkeypatch) -> None:
    """Values get the gradient of the place that was taken, scores that of the softmax with the same noise."""
    layer, (query, values, mask) = layer_of("gumbel", temperature).train(), problem()
    noise = random(4, 2, 5, seed=9)
    monkeypatch.setattr(hard_attention, "_gumbel", lambda like, generator: noise)
    matrix = layer.layer.key.weight
    leaves = [query.requires_grad_(), values.requires_grad_(), matrix]
    result = layer(query, values, mask, torch.Generator())
    of_summary, of_weights = random(4, 2, 4, seed=3), random(4, 2, 5, seed=4)
    ours = torch.autograd.grad(
        (result.summary * of_summary).sum() + (result.weights * of_weights).sum(), leaves
    )
    scored = query @ (values @ matrix.T).transpose(1, 2)
    kept = mask.any(1)
    relaxed = torch.softmax(
        ((scored + noise) / temperature).masked_fill(~mask[:, None], -torch.inf)[kept], dim=2
    )
    arriving = of_summary[kept] @ values[kept].detach().transpose(1, 2) + of_weights[kept]
    summed = (result.weights.detach() @ values * of_summary).sum()
    wanted = torch.autograd.grad((relaxed * arriving).sum() + summed, leaves)
    for one, other in zip(ours, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


def test_gumbel_gives_no_choice_and_reinforce_its_log_probability() -> None:
    query, values, mask = problem()
    gumbel = layer_of("gumbel").train()(query, values, mask, torch.Generator().manual_seed(1))
    assert gumbel.choice_log_probability is None
    layer = layer_of("reinforce").train()
    result = layer(query, values, mask, torch.Generator().manual_seed(1))
    energies = energies_of(layer, query, values).masked_fill(~mask[:, None], -torch.inf)
    for row, time in product((0, 1, 3), range(2)):
        place = int(result.weights[row, time].argmax())
        wanted = torch.log_softmax(energies[row, time], dim=0)[place]
        torch.testing.assert_close(result.choice_log_probability[row, time], wanted, atol=1e-12, rtol=0)
    assert not result.choice_log_probability[2].any()
    leaves = [query.requires_grad_(), values.requires_grad_(), *layer.parameters()]
    result = layer(query, values, mask, torch.Generator().manual_seed(1))
    for gradient in torch.autograd.grad(result.choice_log_probability.sum(), leaves):
        assert gradient.isfinite().all() and gradient.any()
    assert not result.weights.requires_grad


def test_the_expected_gradient_of_reinforce_is_the_gradient_of_the_expectation(monkeypatch) -> None:
    """Every way in which two tokens can choose among three places, each with its probability.

    A token's log-probability depends on the place that it chose: it is read from the summary. Both parts of the
    gradient are there, the one through the value and the one of the choice.
    """
    layer = layer_of("reinforce").train()
    query, values = random(1, 2, 4, seed=1).requires_grad_(), random(1, 3, 4, seed=2).requires_grad_()
    mask, vocabulary, targets = torch.ones(1, 3, dtype=torch.bool), random(4, 5, seed=3), torch.tensor([2, 4])
    leaves = [query, values, *layer.parameters()]

    def rewards(summary: Tensor) -> Tensor:
        """Log-probability of each target token (token,), from summaries (token, 4)."""
        return torch.log_softmax(summary @ vocabulary, dim=1)[torch.arange(2), targets]

    weights = torch.softmax(energies_of(layer, query, values)[0], dim=1)  # (token, place)
    by_place = torch.stack([rewards(values[0, place].expand(2, 4)) for place in range(3)], dim=1)
    exact = torch.autograd.grad(-(weights * by_place).sum(), leaves)
    expected = [torch.zeros_like(leaf) for leaf in leaves]
    for places in product(range(3), repeat=2):
        noise = torch.full((1, 2, 3), -1e3, dtype=torch.float64)
        noise[0, torch.arange(2), torch.tensor(places)] = 1e3
        monkeypatch.setattr(hard_attention, "_gumbel", lambda like, generator, noise=noise: noise)
        result = layer(query, values, mask, torch.Generator())
        assert result.weights.argmax(2)[0].tolist() == list(places)
        reward = rewards(result.summary[0])
        loss = (reinforce_term(result.choice_log_probability[0], reward) - reward).sum()
        probability = float(weights[torch.arange(2), torch.tensor(places)].detach().prod())
        for total, gradient in zip(expected, torch.autograd.grad(loss, leaves), strict=True):
            total += probability * gradient
    for one, other in zip(expected, exact, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


def test_the_baseline_is_the_mean_reward_of_the_others() -> None:
    choice, reward = random(3, seed=1).requires_grad_(), torch.tensor([-1.0, -4.0, -7.0]).double()
    term = reinforce_term(choice, reward.requires_grad_())
    gradient = torch.autograd.grad(term.sum(), [choice, reward], allow_unused=True)
    torch.testing.assert_close(gradient[0], torch.tensor([-4.5, 0.0, 4.5]).double())
    assert gradient[1] is None
    only = reinforce_term(torch.tensor([-0.5]), torch.tensor([-3.0]))
    assert only.tolist() == [-1.5]
    assert reinforce_term(torch.zeros(0), torch.zeros(0)).shape == (0,)
    with pytest.raises(UsageError, match=r"\(2,\) choices and \(3,\) rewards"):
        reinforce_term(torch.zeros(2), torch.zeros(3))


@every_estimator
def test_it_learns_which_place_to_look_at(estimator) -> None:
    """A value's first number is what the token wants to be near to; only one place has it."""
    layer, generator = layer_of(estimator).train(), torch.Generator().manual_seed(5)
    values = random(1, 5, 4, seed=6)
    mask, query = torch.ones(1, 5, dtype=torch.bool), random(1, 1, 4, seed=7).expand(1, 32, 4)
    wanted = int(energies_of(layer, query[:, :1], values)[0, 0].argmin())  # the least likely at the start
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.5)
    for _ in range(60):
        result = layer(query, values, mask, generator)
        reward = -(result.summary[0] - values[0, wanted]).square().sum(1)
        loss = -reward.mean()
        if result.choice_log_probability is not None:
            loss = loss + reinforce_term(result.choice_log_probability[0], reward).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert int(attended(layer.layer.eval(), query, values, mask).weights[0, 0].argmax()) == wanted


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="hard_attention=none is unknown; take one of gumbel, reinforce"):
        HardAttention(4, 4, "none")
    with pytest.raises(ConfigError, match=r"hard_temperature=0\.0 is too low"):
        AttentionOptions("hard", temperature=0.0)
