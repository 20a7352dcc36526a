"""The objective and the schedules against a count by hand."""

import math
from itertools import pairwise

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from dialog.errors import ConfigError
from dialog.models.base import LossParts
from dialog.training.config import LatentTrainingConfig, TrainingConfig, training_config_class
from dialog.training.objective import Whole, needs_mean_kl, objective
from dialog.training.schedules import annealing_is_over, kl_weight, learning_rate

PARTS = LossParts(
    nll=torch.tensor([6.0, 2.0]),
    num_tokens=torch.tensor([3, 1]),
    kl=torch.tensor([[0.1, 2.0, 0.0], [0.3, 4.0, 0.2]]),
    auxiliary={"uniform": torch.tensor([9.0, 3.0]), "bag_of_words": torch.tensor([5.0, 1.0])},
)


def value(**changes) -> float:
    weight = changes.pop("weight", 1.0)
    return objective(PARTS, LatentTrainingConfig(**{"bag_of_words_weight": 0.0, **changes}), weight).item()


def test_it_is_a_mean_over_target_tokens_not_over_replies() -> None:
    assert objective(PARTS, TrainingConfig(), 1.0).item() == pytest.approx(8 / 4)


def test_kl_is_summed_over_replies_and_weighted() -> None:
    assert value() == pytest.approx((8 + 6.6) / 4)
    assert value(weight=0.25) == pytest.approx((8 + 0.25 * 6.6) / 4)
    assert value(weight=0.0) == pytest.approx(8 / 4)


def test_free_bits_hold_for_the_mean_of_each_dimension() -> None:
    # The means are 0.2, 3 and 0.1; what is below 0.5 costs 0.5 for each of two replies.
    assert value(free_bits=0.5) == pytest.approx((8 + 2 * (0.5 + 3.0 + 0.5)) / 4)
    assert value(free_bits=0.15, weight=0.5) == pytest.approx((8 + 0.5 * 2 * (0.2 + 3.0 + 0.15)) / 4)


def test_free_bits_stop_the_gradient_of_small_dimensions_alone() -> None:
    assert PARTS.kl is not None
    kl = PARTS.kl.clone().requires_grad_()
    parts = LossParts(PARTS.nll, PARTS.num_tokens, kl)
    objective(parts, LatentTrainingConfig(free_bits=0.5), 1.0).backward()
    assert kl.grad is not None
    assert kl.grad.tolist() == [[0.0, 0.25, 0.0], [0.0, 0.25, 0.0]]


def test_the_kl_of_conversations_counts_once_a_conversation_with_free_bits_of_its_own() -> None:
    """The means of its dimensions are over conversations, of which there are fewer than replies."""
    shared = torch.tensor([[7.0, 0.2]], requires_grad=True)
    parts = LossParts(PARTS.nll, PARTS.num_tokens, PARTS.kl, conversation_kl=shared)
    assert objective(parts, LatentTrainingConfig(), 0.5).item() == pytest.approx((8 + 0.5 * (6.6 + 7.2)) / 4)
    free = objective(parts, LatentTrainingConfig(free_bits=0.5), 1.0)
    assert free.item() == pytest.approx((8 + 2 * (0.5 + 3.0 + 0.5) + 7.0 + 0.5) / 4)
    free.backward()
    assert shared.grad is not None
    assert shared.grad.tolist() == [[0.25, 0.0]]
    whole = Whole(10, torch.full((3,), 9.0), torch.tensor([0.1, 0.9]))
    share = objective(parts, LatentTrainingConfig(free_bits=0.5), 1.0, whole)
    assert share.item() == pytest.approx((8 + 6.6 + 0.5 + 0.2) / 10)


def test_label_smoothing_mixes_in_the_uniform_part_and_leaves_the_kl() -> None:
    assert value(label_smoothing=0.1) == pytest.approx((0.9 * 8 + 0.1 * 12 + 6.6) / 4)


def test_the_bag_of_words_has_its_weight() -> None:
    assert value(bag_of_words_weight=0.5) == pytest.approx((8 + 6.6 + 0.5 * 6) / 4)


EVERY_TERM = {"label_smoothing": 0.1, "bag_of_words_weight": 0.5}


def random_parts(sizes: list[int], seed: int) -> list[LossParts]:
    """Returns the parts of batches of `sizes` replies, of half as many conversations and one more.

    A KL of some dimensions is large and of some small.
    """
    draw = torch.Generator().manual_seed(seed)

    def nats(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=draw, dtype=torch.float64)

    scale = torch.tensor([0.02, 0.4, 3.0], dtype=torch.float64)
    return [
        LossParts(
            (9 * nats(size)).requires_grad_(),
            torch.randint(1, 9, (size,), generator=draw),
            (scale * nats(size, 3)).requires_grad_(),
            {"uniform": nats(size).requires_grad_(), "bag_of_words": nats(size).requires_grad_()},
            (scale[:2] * nats(size // 2 + 1, 2)).requires_grad_(),
        )
        for size in sizes
    ]


def leaves(parts: LossParts) -> list[torch.Tensor]:
    assert parts.kl is not None and parts.conversation_kl is not None
    return [parts.nll, parts.kl, *parts.auxiliary.values(), parts.conversation_kl]


def together(some: list[LossParts]) -> LossParts:
    """Returns one batch of all replies, cut off from the graph of its parts."""
    nll, kl, uniform, words, shared = (
        torch.cat(column).detach().requires_grad_()
        for column in zip(*(leaves(parts) for parts in some), strict=True)
    )
    counts = torch.cat([parts.num_tokens for parts in some])
    return LossParts(nll, counts, kl, {"uniform": uniform, "bag_of_words": words}, shared)


@settings(max_examples=100)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    seed=st.integers(0, 999),
    free_bits=st.sampled_from([0.0, 0.005, 0.2, 1.4, 9.0]),
)
def test_the_shares_of_batches_add_up_to_the_objective_of_all_at_once(sizes, seed, free_bits) -> None:
    config = LatentTrainingConfig(free_bits=free_bits, **EVERY_TERM)
    some = random_parts(sizes, seed)
    whole = together(some)
    assert whole.kl is not None and whole.conversation_kl is not None
    means = [kl.detach().mean(0) if free_bits else None for kl in (whole.kl, whole.conversation_kl)]
    figures = Whole(int(whole.num_tokens.sum()), *means)
    shares = [objective(parts, config, 0.7, figures) for parts in some]
    wanted = objective(whole, config, 0.7)
    assert sum(share.item() for share in shares) == pytest.approx(wanted.item(), rel=1e-12)
    wanted.backward()
    for share in shares:
        share.backward()
    for found, expected in zip(zip(*map(leaves, some), strict=True), leaves(whole), strict=True):
        gradients = [value.grad for value in found]
        torch.testing.assert_close(torch.cat(gradients), expected.grad, rtol=1e-12, atol=1e-15)


def test_a_dimension_is_free_by_the_mean_of_the_update_not_of_the_batch() -> None:
    assert PARTS.kl is not None
    mean = torch.tensor([0.9, 0.1, 0.2])  # the batch's own: 0.2, 3 and 0.1
    kl = PARTS.kl.clone().requires_grad_()
    config = LatentTrainingConfig(free_bits=0.5)
    share = objective(LossParts(PARTS.nll, PARTS.num_tokens, kl), config, 1.0, Whole(10, mean))
    assert share.item() == pytest.approx((8 + 0.4 + 2 * 0.5 + 2 * 0.5) / 10)
    share.backward()
    assert kl.grad is not None
    torch.testing.assert_close(kl.grad, torch.tensor([[0.1, 0.0, 0.0], [0.1, 0.0, 0.0]]))


def test_a_mean_that_is_no_number_is_seen() -> None:
    kl = torch.tensor([[0.1, float("nan")]])
    parts = LossParts(torch.ones(1), torch.ones(1), kl)
    assert math.isnan(objective(parts, LatentTrainingConfig(free_bits=0.5), 1.0).item())


def test_only_free_bits_ask_for_the_mean_kl() -> None:
    assert needs_mean_kl(LatentTrainingConfig(free_bits=0.1))
    assert not needs_mean_kl(LatentTrainingConfig())
    assert not needs_mean_kl(TrainingConfig())


@settings(max_examples=100, deadline=None)
@given(warmup=st.integers(0, 50), span=st.integers(1, 200), final=st.floats(0, 1))
def test_the_learning_rate_rises_then_falls_then_stays(warmup, span, final) -> None:
    config = TrainingConfig(warmup_updates=warmup, decay_updates=warmup + span, final_learning_rate=final)
    rates = [learning_rate(update, config) for update in range(1, warmup + span + 20)]
    assert all(0 <= rate <= config.learning_rate * (1 + 1e-12) for rate in rates)
    up, down = rates[:warmup], rates[warmup:]
    assert up == pytest.approx([config.learning_rate * (n + 1) / warmup for n in range(warmup)])
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(down))
    assert rates[warmup + span - 1 :] == pytest.approx([final * config.learning_rate] * 20)


def test_half_way_down_the_cosine() -> None:
    config = TrainingConfig(warmup_updates=10, decay_updates=30, final_learning_rate=0.2, learning_rate=1.0)
    assert learning_rate(20, config) == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi / 2)) / 2)


def test_the_kl_weight_rises_to_one_and_is_one_without_a_latent() -> None:
    config = LatentTrainingConfig(kl_annealing_updates=4)
    assert [kl_weight(update, config) for update in range(1, 7)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert kl_weight(1, LatentTrainingConfig(kl_annealing_updates=0)) == 1.0
    assert kl_weight(1, TrainingConfig()) == 1.0


def test_a_cyclical_kl_weight_is_that_of_the_paper() -> None:
    config = LatentTrainingConfig(kl_annealing_updates=16, kl_schedule="cyclical", kl_cycles=2)
    cycle = [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0]
    assert [kl_weight(update, config) for update in range(1, 20)] == [*cycle, *cycle, 1.0, 1.0, 1.0]
    assert [annealing_is_over(update, config) for update in (8, 16, 17)] == [False, False, True]
    slow = LatentTrainingConfig(
        kl_annealing_updates=4, kl_schedule="cyclical", kl_cycles=1, kl_rising_share=1
    )
    assert [kl_weight(update, slow) for update in range(1, 7)] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


@settings(max_examples=100, deadline=None)
@given(cycles=st.integers(1, 9), updates=st.integers(18, 500), share=st.floats(0.01, 1))
def test_a_cyclical_kl_weight_starts_each_cycle_at_0_and_never_falls_in_it(cycles, updates, share) -> None:
    config = LatentTrainingConfig(
        kl_annealing_updates=updates, kl_schedule="cyclical", kl_cycles=cycles, kl_rising_share=share
    )
    weights = [kl_weight(update, config) for update in range(1, updates + 5)]
    period = math.ceil(updates / cycles)
    starts = [n for n, weight in enumerate(weights) if weight == 0]
    assert starts == list(range(0, updates, period))
    for start, end in pairwise([*starts, updates]):
        cycle = weights[start:end]
        assert all(before <= after <= 1 for before, after in pairwise(cycle))
        risen = sum(weight < 1 for weight in cycle)
        assert risen <= math.ceil(share * updates / cycles) + 1
    assert weights[updates:] == [1.0] * 4


def test_settings_that_cannot_be_are_named() -> None:
    assert training_config_class(False) is TrainingConfig
    for wrong, words in (
        ({"lead_turns": 32}, "lead_turns is 32, but must be below window_turns"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0"),
        ({"batch_tokens": 2.5}, "must be a whole number"),
        ({"kl_annealing_updates": 3}, "has no setting 'kl_annealing_updates'"),
    ):
        with pytest.raises(ConfigError, match=words):
            TrainingConfig.from_json(wrong)


def test_a_schedule_takes_only_what_it_reads() -> None:
    for wrong, words in (
        ({"kl_schedule": "cosine"}, "kl_schedule is 'cosine', but must be one of linear, cyclical"),
        ({"kl_cycles": 2}, "kl_cycles is 2, but only the cyclical schedule"),
        ({"kl_rising_share": 0.2}, "kl_rising_share is 0.2, but only the cyclical schedule"),
        ({"kl_rising_share": 1.1, "kl_schedule": "cyclical"}, "kl_rising_share is 1.1"),
        ({"kl_annealing_updates": 7, "kl_schedule": "cyclical"}, "set 8 or more"),
    ):
        with pytest.raises(ConfigError, match=words):
            LatentTrainingConfig.from_json(wrong)
    config = LatentTrainingConfig(kl_schedule="cyclical", kl_cycles=3)
    assert LatentTrainingConfig.from_json(config.to_json()) == config
