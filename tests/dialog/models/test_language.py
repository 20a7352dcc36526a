"""The language model keeps the promises of a reply model, and no context changes what it says."""

import numpy as np
import pytest
import torch

from dialog.errors import UsageError
from dialog.models.registry import build_model, model_name
from dialog.text.batches import Utterances, collate, utterances_of
from tests.dialog.models.tiny import (
    generators,
    greedy,
    make_model,
    random_windows,
    random_words,
    scored,
    stepped_logits,
)


@pytest.fixture(params=[1, 2])
def model(request):
    return make_model("lm", layers=request.param)


def rows(count: int = 5, seed: int = 3) -> Utterances:
    draw = np.random.default_rng(seed)
    return utterances_of([random_words(draw, 8) for _ in range(count)])


def planned(model, count: int):
    return model.plan(model.start(count), generators(count))


def test_the_registry_knows_it(model) -> None:
    assert model_name(model) == "lm"
    assert not model.is_latent


def test_its_loss_is_that_of_one_reply_at_a_time_and_no_turn_matters(model) -> None:
    windows = random_windows([4, 2, 5])
    loss = model.loss(collate(windows), torch.Generator())
    torch.testing.assert_close(loss.nll, scored(model, windows, None), atol=1e-10, rtol=0)
    lengths = [len(w) + 1 for window in windows for w in window.utterances[1:]]
    assert loss.num_tokens.tolist() == lengths


def test_step_by_step_is_the_score(model) -> None:
    replies = rows()
    logits = stepped_logits(model, planned(model, 5), replies)
    steps = logits.log_softmax(2).gather(2, replies.tokens[:, :, None])[:, :, 0]
    real = torch.arange(steps.shape[1]) < replies.lengths[:, None]
    score = model.score(planned(model, 5), replies)
    torch.testing.assert_close(score, torch.where(real, steps, 0.0), atol=1e-10, rtol=0)


def test_rows_of_its_states_are_chosen_and_joined(model) -> None:
    state = model.observe(model.start(3), rows(3))
    assert state.num_rows == 3 and state.num_bytes == 0
    assert state.select([2, 0]).num_rows == 2
    assert type(state).concat([state, state]).num_rows == 6
    plan = planned(model, 3)
    for tokens in rows(3).tokens.T:
        _, plan = model.step(tokens, plan)
    chosen = plan.select([2, 2])
    joined = type(plan).concat([chosen, plan])
    tokens = torch.tensor([5, 6, 7, 8, 9])
    logits, _ = model.step(tokens, joined)
    for row, source in enumerate([2, 2, 0, 1, 2]):
        alone, _ = model.step(tokens[row : row + 1], plan.select([source]))
        torch.testing.assert_close(logits[row], alone[0], atol=1e-10, rtol=0)


def test_it_has_no_latent() -> None:
    model = make_model("lm")
    with pytest.raises(UsageError, match="lm has no latent"):
        model.plan(model.start(1), generators(1), torch.zeros(1, 3))


def test_every_parameter_gets_a_gradient(model) -> None:
    model.train()
    parts = model.loss(collate(random_windows([5, 3, 4])), torch.Generator().manual_seed(3))
    (parts.nll.sum() + parts.auxiliary["uniform"].sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).any(), name


def test_every_setting_changes_something() -> None:
    plain, batch = make_model("lm"), collate(random_windows([5, 3]))
    shapes = {name: p.shape for name, p in plain.named_parameters()}
    for field in ("embedding_size", "hidden_size", "decoder_layers", "vocab_size"):
        more = {"layers": 2} if field == "decoder_layers" else {field: 9}
        if field == "vocab_size":
            more = {field: 31}
        assert {name: p.shape for name, p in make_model("lm", **more).named_parameters()} != shapes
    dropping = make_model("lm", dropout=0.5)
    losses = [m.loss(batch, torch.Generator().manual_seed(1)).nll for m in (plain, dropping)]
    assert torch.equal(*losses)  # nothing is dropped in evaluation
    losses = [m.train().loss(batch, torch.Generator().manual_seed(1)).nll for m in (plain, dropping)]
    assert not torch.allclose(*losses)


def test_it_learns_what_is_said_most_often_and_says_it() -> None:
    model = make_model("lm", torch.float32, hidden_size=24, embedding_size=16).train()
    windows = random_windows([2], seed=4) * 3 + random_windows([2], seed=5)
    batch, optimizer = collate(windows), torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _ in range(150):
        loss = model.loss(batch, torch.Generator().manual_seed(1)).nll.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    often, seldom = windows[0].utterances[1], windows[-1].utterances[1]
    assert float(loss.detach()) == pytest.approx(3 * np.log(4 / 3) + np.log(4), abs=0.1)
    assert often.tolist() != seldom.tolist()
    assert greedy(model.eval(), planned(model, 1), 12) == often.tolist()


def test_it_is_made_from_its_settings_alone() -> None:
    torch.manual_seed(4)
    first = build_model("lm", {"vocab_size": 20, "embedding_size": 4, "hidden_size": 4})
    torch.manual_seed(4)
    second = build_model("lm", first.config.to_json())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
