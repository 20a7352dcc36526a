"""The gradient of an update over several batches is that of the objective over all of them at once."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import UsageError
from dialog.models.base import LossParts, ReplyModel
from dialog.text.batches import Batch, collate
from dialog.training.config import TrainingConfig, training_config_class
from dialog.training.distributed import Workers
from dialog.training.objective import Whole, objective
from dialog.training.update import Part, UpdateTotals, add_gradients, noise, parts_of
from tests.dialog.models.tiny import NAMES, make_model, random_windows

CPU = torch.device("cpu")
SIZES = (5, 2), (3,), (9, 4, 2), (6, 2)
"""Turns of the windows of four batches, unlike in replies and tokens."""
WEIGHT = 0.6
LATENT = {"vhred": {"word_dropout": 0.3}, "vhcr": {"word_dropout": 0.3, "utterance_dropout": 0.3}}
"""Models with latent variables, and their further noise."""


@pytest.fixture(scope="module")
def accelerator() -> Iterator[Accelerator]:
    AcceleratorState._reset_state(True)
    yield Accelerator(cpu=True)
    AcceleratorState._reset_state(True)


def batches() -> list[Batch]:
    return [collate(random_windows(turns, seed=seed)) for seed, turns in enumerate(SIZES)]


def config_for(name: str, **settings: Any) -> TrainingConfig:
    return training_config_class(name in LATENT).from_json({"label_smoothing": 0.1, **settings})


def model_in_training(name: str, **overrides: Any) -> ReplyModel:
    if name in LATENT:
        overrides = {"bag_of_words": True, **overrides}
    return make_model(name, **overrides).train()


def generator(part: Part) -> torch.Generator:
    return noise(7, 3, part.place, CPU)


def added(
    model: ReplyModel, some: list[Batch], config: TrainingConfig, accelerator: Accelerator
) -> UpdateTotals:
    parts = parts_of(len(some), 0, 1)
    tokens = sum(int(batch.replies().lengths.sum()) for batch in some)
    pairs = [(some[part.place], part) for part in parts]
    return add_gradients(model, pairs, generator, tokens, config, WEIGHT, accelerator, Workers())


def joined(some: list[LossParts]) -> LossParts:
    """Returns the parts of one batch of all replies; the gradient flows to all."""
    names = some[0].auxiliary

    def whole(values: list[torch.Tensor | None]) -> torch.Tensor | None:
        return None if values[0] is None else torch.cat([value for value in values if value is not None])

    return LossParts(
        torch.cat([parts.nll for parts in some]),
        torch.cat([parts.num_tokens for parts in some]),
        whole([parts.kl for parts in some]),
        {name: torch.cat([parts.auxiliary[name] for parts in some]) for name in names},
        whole([parts.conversation_kl for parts in some]),
    )


def gradients(model: ReplyModel, make: Callable[[], object]) -> tuple[object, dict[str, torch.Tensor]]:
    model.zero_grad()
    result = make()
    return result, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    """The models are in float64: sums in another order differ by less than 1e-10."""
    assert found.keys() == wanted.keys() != set()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10, msg=name)


def free_bits_between(model: ReplyModel, kind: str = "kl") -> float:
    """Returns free bits that some dimensions are above and some below, one barely, and not in every batch."""
    with torch.no_grad():
        some = [model(batch, noise(7, 3, place, CPU)) for place, batch in enumerate(batches())]
    order = getattr(joined(some), kind).mean(0).argsort()
    barely = order[(len(order) - 1) // 2]
    means = getattr(joined(some), kind).mean(0)
    assert means[order[0]] <= means[barely] < means[order[-1]]
    free_bits = 1.001 * float(means[barely])
    assert any(getattr(parts, kind).mean(0)[barely] > free_bits for parts in some)
    return free_bits


@pytest.mark.parametrize(
    ("name", "kind"), [*((name, "kl") for name in NAMES), ("vhcr", "kl"), ("vhcr", "conversation_kl")]
)
def test_four_batches_make_the_update_of_all_their_replies(name, kind, accelerator) -> None:
    """Dropout, word dropout, posterior samples and free bits are on."""
    model = model_in_training(name, dropout=0.3, **LATENT.get(name, {}))
    config = config_for(name, **({"free_bits": free_bits_between(model, kind)} if name in LATENT else {}))
    totals, found = gradients(model, lambda: added(model, batches(), config, accelerator))

    def at_once() -> LossParts:
        whole = joined([model(batch, noise(7, 3, place, CPU)) for place, batch in enumerate(batches())])
        objective(whole, config, WEIGHT).backward()
        return whole

    whole, wanted = gradients(model, at_once)
    assert isinstance(totals, UpdateTotals) and isinstance(whole, LossParts)
    assert_same(found, wanted)
    assert totals.objective == pytest.approx(objective(whole, config, WEIGHT).item(), rel=1e-12)
    assert totals.nll == pytest.approx(whole.nll.sum().item(), rel=1e-12)
    assert (totals.num_replies, totals.num_tokens) == (len(whole.nll), int(whole.num_tokens.sum()))
    assert (totals.kl is None) == (whole.kl is None)
    if whole.kl is not None:
        assert totals.kl == pytest.approx(whole.kl.sum().item(), rel=1e-12)
    assert totals.not_finite == ()
    assert (totals.conversation_kl is None) == (whole.conversation_kl is None) == (name != "vhcr")
    if whole.conversation_kl is not None:
        assert totals.conversation_kl == pytest.approx(whole.conversation_kl.sum().item(), rel=1e-12)
        assert totals.num_conversations == sum(map(len, SIZES))


@pytest.mark.parametrize("name", list(LATENT))
def test_the_kl_alone_is_that_of_the_loss(name) -> None:
    model = model_in_training(name, dropout=0.3, **LATENT[name])
    for place, batch in enumerate(batches()):
        found = model.posterior_kl(batch, noise(7, 3, place, CPU))
        wanted = model.loss(batch, noise(7, 3, place, CPU))
        assert wanted.kl is not None and torch.equal(found.reply, wanted.kl)
        assert (found.conversation is None) == (wanted.conversation_kl is None)
        if found.conversation is not None and wanted.conversation_kl is not None:
            assert torch.equal(found.conversation, wanted.conversation_kl)
    with pytest.raises(UsageError, match="no latent variable"):
        model_in_training("hred").posterior_kl(batches()[0], noise(7, 3, 0, CPU))


@pytest.mark.parametrize("name", ["seq2seq", "hred"])
def test_without_noise_it_is_the_update_of_one_large_batch(name, accelerator) -> None:
    model, config = model_in_training(name), config_for(name)
    windows = [window for seed, turns in enumerate(SIZES) for window in random_windows(turns, seed=seed)]
    _, found = gradients(model, lambda: added(model, batches(), config, accelerator))
    _, wanted = gradients(model, lambda: added(model, [collate(windows)], config, accelerator))
    assert_same(found, wanted)


def test_free_bits_of_each_batch_alone_would_be_another_update(accelerator) -> None:
    """Or the first test would say nothing of them."""
    model = model_in_training("vhred")
    config = config_for("vhred", free_bits=free_bits_between(model))
    _, found = gradients(model, lambda: added(model, batches(), config, accelerator))

    def alone() -> None:
        tokens = sum(int(batch.replies().lengths.sum()) for batch in batches())
        for place, batch in enumerate(batches()):
            objective(model(batch, noise(7, 3, place, CPU)), config, WEIGHT, Whole(tokens)).backward()

    _, other = gradients(model, alone)
    with pytest.raises(AssertionError):
        assert_same(found, other)


def test_a_batch_that_gives_no_number_is_named_before_the_last_backward_pass(accelerator) -> None:
    model = model_in_training("hred")
    with torch.no_grad():
        model.table.weight[5] = float("nan")  # type: ignore[union-attr]
    assert added(model, batches(), config_for("hred"), accelerator).not_finite == (0,)


@given(num_batches=st.integers(1, 20), count=st.integers(1, 9))
def test_processes_share_the_batches_each_counted_once(num_batches, count) -> None:
    shares = [parts_of(num_batches, rank, count) for rank in range(count)]
    assert len({len(parts) for parts in shares}) == 1
    counted = sorted(part.place for parts in shares for part in parts if part.counts)
    assert counted == list(range(num_batches))
    assert all(0 <= part.place < num_batches for parts in shares for part in parts)


def test_noise_depends_on_seed_update_and_place_alone() -> None:
    def drawn(*arguments: int) -> tuple[float, ...]:
        return tuple(torch.rand(4, generator=noise(*arguments, CPU)).tolist())

    assert drawn(1, 2, 3) == drawn(1, 2, 3)
    assert len({drawn(1, 2, 3), drawn(2, 2, 3), drawn(1, 3, 3), drawn(1, 2, 4), drawn(1, 3, 2)}) == 5
