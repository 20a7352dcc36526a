"""What an autoencoder says again: the same whatever stands beside it, and the same at the ends of a walk."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dialog.decoding.reconstruction import Reconstruction, Reconstructor
from dialog.decoding.replies import Sampling
from dialog.errors import UsageError
from dialog.models.registry import MODELS
from dialog.run_folder import Run
from tests.dialog.decoding.conftest import small_model

TEXTS = ["I have 7 cats", "and you?", "こんにちは", "I have 12 cats and you?"]
GREEDY = Sampling("greedy", max_tokens=12)
WAYS = [GREEDY, Sampling(temperature=1.3, max_tokens=12), Sampling("beam", beam_size=3, max_tokens=6)]
NAMES = [name for name, entry in MODELS.items() if "reconstruct" in entry.abilities]


@pytest.fixture(scope="module", params=NAMES)
def run(request, tokenizer) -> Run:
    return Run(Path("runs/mine"), request.param, small_model(request.param, tokenizer), tokenizer, "hash", {})


@pytest.fixture
def reconstructor(run) -> Reconstructor:
    return Reconstructor(run)


def same(one: Reconstruction, other: Reconstruction) -> None:
    """The same but for rounding."""
    plain = [
        replace(each.reply, log_probability=0.0, filtered_log_probability=0.0, latent=None, scores={})
        for each in (one, other)
    ]
    assert plain[0] == plain[1]
    assert one.reply.log_probability == pytest.approx(other.reply.log_probability, abs=1e-3)
    assert one.code == pytest.approx(other.code, abs=1e-5)
    assert (one.reply.latent is None) == (other.reply.latent is None)


@pytest.mark.parametrize("sampling", WAYS, ids=lambda one: one.method)
def test_it_is_the_same_among_others_and_alone(reconstructor, sampling) -> None:
    together = reconstructor.reconstruct(TEXTS, sampling, seed=3)
    again = reconstructor.reconstruct(TEXTS, sampling, seed=3)
    for text, (one,), (other,) in zip(TEXTS, together, again, strict=True):
        assert one == other
        same(one, reconstructor.reconstruct([text], sampling, seed=3)[0][0])
    assert len({one.code for (one,) in together}) == 4
    assert len({one.reply.context_hash for (one,) in together}) == 4


def test_the_second_of_two_is_the_second_of_three_and_differs_from_the_first(reconstructor) -> None:
    two, three = (reconstructor.reconstruct(TEXTS[:2], WAYS[1], count, seed=5) for count in (2, 3))
    for pair, three_of_it in zip(two, three, strict=True):
        for one, other in zip(pair, three_of_it, strict=False):
            same(one, other)
        assert len({one.reply.tokens for one in three_of_it}) == 3


@torch.no_grad()
def test_it_is_decoded_from_its_code(run, reconstructor) -> None:
    (one,) = reconstructor.reconstruct([TEXTS[0]], GREEDY)[0]
    model = run.model
    state = model.plan(model.start(1), [torch.Generator()], torch.tensor([one.code]))
    rows = torch.tensor([one.reply.tokens])
    token, total = torch.tensor([2]), 0.0
    for wanted in rows[0]:
        logits, state = model.step(token, state)
        total += float(logits.log_softmax(1)[0, wanted])
        token = wanted[None]
    assert one.reply.log_probability == pytest.approx(total, abs=1e-3)
    assert one.reply.latent == (one.code if model.is_latent else None)


@pytest.mark.parametrize("sampling", WAYS, ids=lambda one: one.method)
def test_a_walk_goes_from_one_reconstruction_to_the_other(reconstructor, sampling) -> None:
    walk = reconstructor.walk(TEXTS[0], TEXTS[2], 5, sampling, seed=3)
    assert len(walk) == 5
    same(walk[0], reconstructor.reconstruct([TEXTS[0]], sampling, seed=3)[0][0])
    same(walk[-1], reconstructor.reconstruct([TEXTS[2]], sampling, seed=3)[0][0])
    back = reconstructor.walk(TEXTS[2], TEXTS[0], 5, sampling, seed=3)
    for one, other in zip(walk, reversed(back), strict=True):
        assert one.code == pytest.approx(other.code, abs=1e-5)
    assert len({one.reply.context_hash for one in walk}) == 5
    longer = reconstructor.walk(TEXTS[0], TEXTS[2], 9, sampling, seed=3)
    for one, other in zip(walk, longer[::2], strict=True):
        same(one, other)


def test_what_cannot_be_said_again_is_a_sentence(run, reconstructor) -> None:
    with pytest.raises(UsageError, match="no word in ' ' to say again"):
        reconstructor.reconstruct(["a", " "], GREEDY)
    with pytest.raises(UsageError, match="1 points was asked for"):
        reconstructor.walk("a", "b", 1, GREEDY)
    with pytest.raises(UsageError, match="0 replies were asked for"):
        reconstructor.reconstruct(["a"], GREEDY, 0)
    assert reconstructor.reconstruct([], GREEDY) == []
    if not run.model.is_latent:
        with pytest.raises(UsageError, match="says the same each time"):
            reconstructor.reconstruct(["a"], GREEDY, 2)
        with pytest.raises(UsageError, match="a beam of 3 finds 3"):
            reconstructor.reconstruct(["a"], WAYS[2], 4)


@pytest.mark.parametrize("name", ["hred", "lm"])
def test_what_does_not_say_again_is_refused(name, tokenizer) -> None:
    run = Run(Path("runs/mine"), name, small_model(name, tokenizer), tokenizer, "", {})
    instead = "hred chat runs/mine" if name == "hred" else "hred generate"
    with pytest.raises(
        UsageError, match=f"runs/mine is a run of {name}, which does not say again.*{instead}"
    ):
        Reconstructor(run)
