"""The window model: Bengio's equation on the last few tokens, and nothing of what was said before them."""

import numpy as np
import pytest
import torch

from dialog.errors import UsageError
from dialog.models.base import ReplyModel
from dialog.text.batches import BOS, EOS, PAD, Window, collate, utterances_of
from tests.dialog.models.tiny import (
    generators,
    greedy,
    make_model,
    random_windows,
    random_words,
    scored,
    states_before,
    stepped_logits,
)


def line_of(window: Window, turn: int) -> tuple[list[int], int]:
    """Returns all tokens up to a reply's last, and where the start token stands."""
    said = [token for words in window.utterances[:turn] for token in (*words.tolist(), EOS)]
    return [*said, BOS, *window.utterances[turn].tolist(), EOS], len(said)


def nll_by_the_equation(
    model: ReplyModel, windows: list[Window]
) -> tuple[list[float], dict[str, np.ndarray]]:
    """-log softmax(C (U tanh(d + H x) + b)) of each token in NumPy; and the gradients of the sum."""
    p = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    gradients = {name: np.zeros_like(value) for name, value in p.items()}
    count, size = model.config.window_tokens, model.config.embedding_size
    found = []
    for window in windows:
        for turn in np.flatnonzero(window.targets):
            line, start = line_of(window, int(turn))
            total = 0.0
            for place in range(start + 1, len(line)):
                before = ([PAD] * count + line[:place])[-count:]
                x = np.concatenate([p["table.weight"][t] * (t != PAD) for t in before])
                a = np.tanh(p["layer.places.bias"] + p["layer.places.weight"] @ x)
                f = p["combine.weight"] @ a + p["combine.bias"]
                logits = p["table.weight"] @ f
                shares = np.exp(logits - logits.max())
                shares /= shares.sum()
                total -= np.log(shares[line[place]])
                shares[line[place]] -= 1  # from here on the gradient of the logits
                of_f = p["table.weight"].T @ shares
                inner = p["combine.weight"].T @ of_f * (1 - a**2)
                gradients["table.weight"] += np.outer(shares, f)
                gradients["combine.weight"] += np.outer(of_f, a)
                gradients["combine.bias"] += of_f
                gradients["layer.places.weight"] += np.outer(inner, x)
                gradients["layer.places.bias"] += inner
                of_x = (p["layer.places.weight"].T @ inner).reshape(count, size)
                for token, part in zip(before, of_x, strict=True):
                    gradients["table.weight"][token] += part * (token != PAD)
            found.append(total)
    return found, gradients


@pytest.mark.parametrize("window_tokens", [1, 5, 40])
def test_the_loss_is_the_equation_forward_and_back(window_tokens) -> None:
    model = make_model("window", window_tokens=window_tokens)
    windows = random_windows([5, 2, 3], seed=3)
    windows[1].targets[0] = True  # a reply to nothing
    nll = model.loss(collate(windows), torch.Generator()).nll
    wanted, gradients = nll_by_the_equation(model, windows)
    np.testing.assert_allclose(nll.detach().numpy(), wanted, atol=1e-10, rtol=0)
    nll.sum().backward()
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), gradients[name], atol=1e-10, rtol=0)


def test_few_windows_of_many_tokens_and_many_of_few_cost_the_same() -> None:
    """The layer has two ways to compute its sum; both are met here."""
    model = make_model("window", window_tokens=12)
    windows = random_windows([6, 6, 6, 6], seed=4)
    whole = model.loss(collate(windows), torch.Generator()).nll
    torch.testing.assert_close(whole, scored(model, windows, None), atol=1e-10, rtol=0)


@pytest.mark.parametrize("window_tokens", [1, 2, 4, 9])
def test_it_knows_exactly_as_many_tokens_as_its_config_names(window_tokens) -> None:
    model = make_model("window", window_tokens=window_tokens)
    words = random_words(np.random.default_rng(1), 7)
    context = np.array([5, 6, 7, 8, 9, 10], dtype=np.int32)
    said = len(context) + 1  # the end token
    for time in range(len(words) + 1):
        for place in range(len(context)):
            other = context.copy()
            other[place] = 20
            logits = []
            for one in (context, other):
                state = model.observe(model.start(1), utterances_of([one]))
                plan = model.plan(state, generators(1))
                logits.append(stepped_logits(model, plan, utterances_of([words]))[0, time])
            distance = said - place + time + 1  # back from the next token, the start token counted
            assert torch.equal(*logits) == (distance >= window_tokens + 1)


def test_what_was_not_said_is_a_vector_of_zeros() -> None:
    model = make_model("window")
    state, reply = model.start(1), utterances_of([[5, 6, 7]])
    first = stepped_logits(model, model.plan(state, generators(1)), reply)
    with torch.no_grad():
        model.table.weight[PAD] = 100.0
    second = stepped_logits(model, model.plan(state, generators(1)), reply)
    assert torch.equal(first[:, :, 1:], second[:, :, 1:])
    assert not torch.equal(first[:, :, 0], second[:, :, 0])  # as an output it is a token like others


def test_an_utterance_is_read_by_its_first_tokens_and_a_target_counts_whole() -> None:
    model = make_model("window", max_utterance_tokens=4, window_tokens=30)
    turns = [np.array(words, dtype=np.int32) for words in ([4, 5, 6, 7, 8, 9], [10] * 9, [11, 12])]
    window = Window(turns, np.array([False, True, True]))
    parts = model.loss(collate([window]), torch.Generator())
    assert parts.num_tokens.tolist() == [10, 3]
    torch.testing.assert_close(parts.nll, scored(model, [window], None), atol=1e-10, rtol=0)
    for turn, place, is_read in ((0, 3, True), (0, 4, False), (1, 3, True), (1, 4, False)):
        others = [words.copy() for words in turns]
        others[turn][place] = 20
        nll = model.loss(collate([Window(others, window.targets)]), torch.Generator()).nll
        assert bool((nll[1] - parts.nll[1]).abs() > 1e-9) == is_read


def test_latents_are_refused() -> None:
    model = make_model("window")
    with pytest.raises(UsageError, match="window has no latent variable"):
        model.plan(model.start(1), generators(1), torch.zeros(1, 3))


def test_eight_conversations_are_learned_by_heart() -> None:
    model = make_model("window", torch.float32, embedding_size=24, hidden_size=48, window_tokens=16).train()
    with torch.no_grad():
        model.table.weight.mul_(0.25)
    windows = random_windows([4] * 8, seed=21)
    batch, optimizer = collate(windows), torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(100):
        parts = model.loss(batch, torch.Generator())
        optimizer.zero_grad()
        (parts.nll.sum() / parts.num_tokens.sum()).backward()
        optimizer.step()
    assert float(parts.nll.detach().sum() / parts.num_tokens.sum()) < 0.1
    model.eval()
    for window in windows:
        for state, words in list(zip(states_before(model, window), window.utterances, strict=False))[1:]:
            assert greedy(model, model.plan(state, generators(1)), 12) == words.tolist()
