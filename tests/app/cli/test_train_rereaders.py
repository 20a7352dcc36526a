"""Models that read words anew for each reply are trained, saved, gone on with and chatted with as the others."""

from pathlib import Path

import pytest
import torch

from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.run_folder import load_run
from tests.app.cli.test_train import SMALL, checkpoint, lines, losses, settings

SIZES = {
    "transformer": ("embedding_size=12", "feedforward_size=24", "max_context_tokens=20"),
    "window": ("embedding_size=12", "hidden_size=16", "window_tokens=6"),
}


def command(corpus: Path, folder: Path, name: str, updates: int) -> list[object]:
    return [
        "train", corpus, "--model", name, "--out", folder, "--max-updates", updates, "--log-every", 1,
        *settings(*SIZES[name], *SMALL[2:], "validate_every=4", "learning_rate=0.02", "warmup_updates=0",
                  "sample_replies=0", "measure_replies=0"),
    ]  # fmt: skip


@pytest.fixture(scope="module", params=list(SIZES))
def trained(request, hred, corpus, tmp_path_factory) -> tuple[str, Path]:
    """A model's name, and a run of it."""
    folder = tmp_path_factory.mktemp("runs") / request.param
    done = hred(*command(corpus, folder, request.param, 8))
    assert done.exit_code == 0, done.output
    return request.param, folder


def test_it_learns_answers_and_is_evaluated_as_it_was_validated(hred, corpus, trained) -> None:
    name, folder = trained
    found = losses(folder)
    assert sum(found[-3:]) < 0.95 * sum(found[:3])
    run = load_run(folder)
    assert run.name == name
    chat = Conversation("", (Turn("A", "hello, who are you?"), Turn("B", "me too."), Turn("A", "and you?")))
    for sampling in (Sampling(max_tokens=8), Sampling("beam", beam_size=3, max_tokens=8)):
        replies = Replier.from_run(run).reply(chat, sampling, 2, seed=4)
        assert all(reply.tokens for reply in replies)
    evaluated = hred("evaluate", folder, corpus, "--split", "valid")
    assert f"{min(line['nats_per_token'] for line in lines(folder, 'valid')):.4f}" in evaluated.output


def test_a_run_that_goes_on_is_as_one_that_never_stopped(hred, corpus, trained, tmp_path) -> None:
    name, whole = trained
    hred(*command(corpus, tmp_path, name, 5))
    hred("train", corpus, "--out", tmp_path, "--resume", "--max-updates", 8, "--log-every", 1)
    assert losses(tmp_path) == pytest.approx(losses(whole), rel=1e-5)
    for weight, value in checkpoint(whole).items():
        torch.testing.assert_close(checkpoint(tmp_path)[weight], value, rtol=1e-4, atol=1e-5)


def test_it_starts_from_another_runs_weights(hred, corpus, trained, tmp_path) -> None:
    name, first = trained
    hred(*command(corpus, tmp_path, name, 1), "--init-from", first)
    assert losses(tmp_path)[0] < 0.95 * losses(first)[0]
