"""A reply is never known before it is said, and what was said before it is known as far as promised."""

import numpy as np
import pytest
import torch

from dialog.text.batches import Window, collate
from tests.dialog.models.tiny import ALL, costs, make_model, random_windows, scored, states_before

CONTEXT = {
    "seq2seq": [{"context_turns": 1}, {"context_turns": 4, "max_context_tokens": 0}],
    "hred": [{"attention_turns": 1}, {"attention_turns": 3}],
    "vhred": [{"attention_turns": 1}, {"attention_turns": 3}],
    "transformer": [{"context_turns": 1}, {"context_turns": 4, "max_context_tokens": 100}],
    "window": [{"window_tokens": 5}],
}
CASES = [
    (n, layers, more) for n in ALL for layers in (1, 2) for more in CONTEXT[n] if (n, layers) != ("window", 2)
]
TURNS_ARE_PROMISED = [case for case in CASES if case[0] != "window"]


def changed(window: Window, turn: int, first: int = 0) -> Window:
    """Returns the window with other words in a turn, from its word `first` on, and a longer end."""
    utterances = list(window.utterances)
    words = utterances[turn]
    utterances[turn] = np.concatenate([words[:first], (words[first:] + 1 - 4) % 26 + 4, words[:1], [9]])
    return Window(utterances, window.targets)


@pytest.mark.parametrize(("name", "layers", "more"), CASES)
def test_changing_reply_k_changes_nothing_up_to_it(name, layers, more) -> None:
    model = make_model(name, layers=layers, **more)
    window = random_windows([6], seed=3)[0]
    mates = random_windows([3, 2], seed=4)
    before = costs(model, collate([window, *mates]))
    for k in range(1, 6):
        first = len(window.utterances[k]) // 2
        after = costs(model, collate([changed(window, k, first), *mates]))
        context_columns = slice(0, -3) if name == "vhred" else slice(None)
        torch.testing.assert_close(
            after.condition[:k, context_columns], before.condition[:k, context_columns], atol=1e-10, rtol=0
        )
        if name == "vhred":
            torch.testing.assert_close(after.prior[:k], before.prior[:k], atol=1e-10, rtol=0)
            torch.testing.assert_close(after.latents[: k - 1], before.latents[: k - 1], atol=1e-10, rtol=0)
            torch.testing.assert_close(after.parts.kl[: k - 1], before.parts.kl[: k - 1], atol=1e-10, rtol=0)
            assert not torch.allclose(after.parts.kl[k - 1], before.parts.kl[k - 1])
        for reply in range(k - 1):
            torch.testing.assert_close(after.logits[reply], before.logits[reply], atol=1e-10, rtol=0)
        if name != "vhred":  # VHRED's z is the posterior's here; it is fixed in the test below
            torch.testing.assert_close(
                after.logits[k - 1][: first + 1], before.logits[k - 1][: first + 1], atol=1e-10, rtol=0
            )
        assert not torch.allclose(after.logits[k - 1][first + 1], before.logits[k - 1][first + 1])
        if k < 5:
            assert not torch.allclose(after.logits[k], before.logits[k])


@pytest.mark.parametrize("layers", [1, 2])
def test_changing_a_word_changes_no_log_probability_before_it_at_a_fixed_latent(layers) -> None:
    model = make_model("vhred", layers=layers)
    window = random_windows([4], seed=3)[0]
    state, z = states_before(model, window)[3], torch.randn(1, 3, dtype=torch.float64)
    plan = model.plan(state, [torch.Generator()], z)
    whole = collate([window]).utterances.select(torch.tensor([3]))
    for place in range(1, int(whole.lengths)):
        other = whole.tokens.clone()
        other[0, place] = 4 + (other[0, place] + 3) % 26
        a, b = model.score(plan, whole), model.score(plan, type(whole)(other, whole.lengths))
        torch.testing.assert_close(a[:, :place], b[:, :place], atol=1e-10, rtol=0)
        assert not torch.allclose(a[:, place], b[:, place])


@pytest.mark.parametrize(("name", "layers", "more"), TURNS_ARE_PROMISED)
def test_the_first_turn_is_known_at_the_fourth_as_far_as_promised(name, layers, more) -> None:
    model = make_model(name, layers=layers, **more)
    window = random_windows([5], seed=6)[0]
    z = torch.zeros(4, 3, dtype=torch.float64) if name == "vhred" else None
    before, after = costs(model, collate([window])), costs(model, collate([changed(window, 0)]))
    by_score = scored(model, [window], z), scored(model, [changed(window, 0)], z)
    difference = (by_score[0] - by_score[1]).abs()
    reads_all = name in ("hred", "vhred")
    assert difference[0] > 1e-6  # the reply right behind it
    if reads_all or more["context_turns"] == 4:
        assert (difference[: 4 if reads_all else 3] > 1e-9).all()
        assert (before.logits[2] - after.logits[2]).abs().max() > 1e-9
    else:
        assert (difference[1:] < 1e-10).all()
        for reply in (1, 2, 3):
            torch.testing.assert_close(before.logits[reply], after.logits[reply], atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["seq2seq", "transformer"])
def test_a_flat_context_is_exactly_as_many_turns_as_the_config_names(name) -> None:
    window = random_windows([7], seed=8)[0]
    for turns in (1, 2, 3, 5):
        model = make_model(name, context_turns=turns, max_context_tokens=100)
        difference = (
            costs(model, collate([window])).parts.nll - costs(model, collate([changed(window, 1)])).parts.nll
        )
        known = [bool(d.abs() > 1e-9) for d in difference]  # turn 1 is itself the first reply
        assert known == [1 <= turn <= 1 + turns for turn in range(1, 7)]


@pytest.mark.parametrize("name", ["hred", "vhred"])
def test_the_context_reaches_the_reply_at_every_step_and_not_only_by_the_first_state(name) -> None:
    model = make_model(name, attention_turns=1)
    with torch.no_grad():
        model.decoder.initial.weight.zero_()
    window = random_windows([5], seed=6)[0]
    z = torch.zeros(4, 3, dtype=torch.float64) if name == "vhred" else None
    assert (scored(model, [window], z) - scored(model, [changed(window, 0)], z)).abs()[3] > 1e-9
