"""`hred train` from a prepared corpus to a run folder that answers, through kills, Ctrl-C and wrong usage."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.errors import ConfigError, CorpusError, RunFolderError, TrainingError, UsageError
from dialog.run_folder import load_run

SMALL = ("embedding_size=12", "hidden_size=16", "batch_tokens=400", "validate_conversations=0")
HIERARCHICAL = (*SMALL, "context_size=14")


def settings(*assignments: str) -> list[str]:
    return [part for assignment in assignments for part in ("--set", assignment)]


def lines(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if line["split"] == split]


def losses(folder: Path) -> list[float]:
    """Each update's loss; fails unless each update stands there once."""
    updates = [line["update"] for line in lines(folder)]
    assert updates == list(range(1, len(updates) + 1))
    return [line["nats_per_token"] for line in lines(folder)]


def progress(folder: Path) -> dict[str, Any]:
    latest = json.loads((folder / "state" / "latest.json").read_text())["update"]
    found: dict[str, Any] = json.loads((folder / "state" / str(latest) / "progress.json").read_text())
    return found


def checkpoint(folder: Path) -> dict[str, torch.Tensor]:
    place = folder / "state" / str(progress(folder)["update"])
    return safetensors.torch.load_file(place / "model.safetensors")


@pytest.fixture(scope="module")
def trained(hred, corpus, tmp_path_factory) -> Path:
    """A run of each model."""
    folder = tmp_path_factory.mktemp("runs")
    for name, sizes in (
        ("seq2seq", SMALL),
        ("hred", HIERARCHICAL),
        ("vhred", (*HIERARCHICAL, "latent_size=5")),
    ):
        extra = ("kl_annealing_updates=4", "bag_of_words=true") if name == "vhred" else ()
        done = hred(
            "train", corpus, "--model", name, "--out", folder / name, "--max-updates", 12, "--log-every", 1,
            *settings(*sizes, *extra, "validate_every=4", "label_smoothing=0.1", "learning_rate=0.02",
                      "warmup_updates=0"),
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        assert "validation at update 12" in done.output
        assert "\x1b" not in done.output
    return folder


@pytest.mark.parametrize("name", ["seq2seq", "hred", "vhred"])
def test_each_model_learns_and_answers(trained, name) -> None:
    folder = trained / name
    found = losses(folder)
    assert len(found) == 12
    assert sum(found[-3:]) < 0.9 * sum(found[:3])
    assert [line["update"] for line in lines(folder, "valid")] == [4, 8, 12]
    assert all(len(line["samples"]) == 3 for line in lines(folder, "valid"))
    # Without the picture of its curves, which is drawn in `test_following_a_training` alone.
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "manifest.json", "metrics.jsonl", "model.safetensors", "model_card.md", "state",
        "tokenizer.model",
    }  # fmt: skip
    chat = Conversation("", (Turn("A", "hello, who are you?"),))
    assert Replier.from_run(load_run(folder)).reply(chat, Sampling(max_tokens=8))[0].text
    card = (folder / "model_card.md").read_text()
    assert all(word in card for word in ("corpus", "label_smoothing", "nats_per_token", "Seed 1"))


@pytest.mark.parametrize("name", ["seq2seq", "hred", "vhred"])
def test_evaluate_finds_what_validation_found_for_the_saved_weights(hred, trained, corpus, name) -> None:
    chosen = load_run(trained / name).config["chosen_by"]
    done = hred("evaluate", trained / name, corpus, "--split", "valid", "--seed", 1, "--json")
    found = json.loads(done.stdout)
    for key in (
        "nats_per_token",
        "num_tokens",
        "num_replies",
        "reconstruction_nats_per_token",
        "kl_per_reply",
    ):
        assert found[key] == (None if chosen[key] is None else pytest.approx(chosen[key], rel=1e-5))
    assert min(line["nats_per_token"] for line in lines(trained / name, "valid")) == chosen["nats_per_token"]
    assert (found["kl_per_reply"] is not None) == (name == "vhred")


def short(folder: Path, corpus: Path, updates: int, *more: object, name: str = "hred") -> list[object]:
    sizes = HIERARCHICAL if name != "seq2seq" else SMALL
    return [
        "train", corpus, "--model", name, "--out", folder, "--max-updates", updates, "--log-every", 1,
        *settings(*sizes, "validate_every=3", "sample_replies=0", "patience=0"), *more,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["seq2seq", "hred", "vhred"])
def test_a_run_that_goes_on_is_as_one_that_never_stopped(hred, corpus, tmp_path, name) -> None:
    hred(*short(tmp_path / "whole", corpus, 14, name=name))
    hred(*short(tmp_path / "parts", corpus, 5, name=name))
    for updates in (8, 14):
        hred(
            "train",
            corpus,
            "--out",
            tmp_path / "parts",
            "--resume",
            "--max-updates",
            updates,
            "--log-every",
            1,
        )
    whole, parts = losses(tmp_path / "whole"), losses(tmp_path / "parts")
    assert len(whole) == 14
    assert parts == pytest.approx(whole, rel=1e-5)
    for name, value in checkpoint(tmp_path / "whole").items():
        torch.testing.assert_close(checkpoint(tmp_path / "parts")[name], value, rtol=1e-4, atol=1e-5)


def started(arguments: list[object], folder: Path, wanted: int) -> "subprocess.Popen[str]":
    """Starts a real process and waits until it has logged some updates."""
    command = [sys.executable, "-c", "from app.cli.main import main; main()", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "metrics.jsonl").exists() and len(lines_so_far(folder)) >= wanted:
            return process
        time.sleep(0.02)
    process.kill()
    raise AssertionError(process.communicate()[1])


def lines_so_far(folder: Path) -> list[str]:
    return (folder / "metrics.jsonl").read_text().splitlines()


def test_a_killed_process_goes_on_from_its_last_checkpoint(hred, corpus, tmp_path) -> None:
    arguments = short(tmp_path / "killed", corpus, 100_000, "--checkpoint-every", 4)
    process = started(arguments, tmp_path / "killed", 12)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = progress(tmp_path / "killed")["update"]
    assert before % 4 == 0
    load_run(tmp_path / "killed")
    hred(
        "train",
        corpus,
        "--out",
        tmp_path / "killed",
        "--resume",
        "--max-updates",
        before + 6,
        "--log-every",
        1,
    )
    hred(*short(tmp_path / "whole", corpus, before + 6))
    assert losses(tmp_path / "killed") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)


def test_ctrl_c_leaves_a_checkpoint(hred, corpus, tmp_path) -> None:
    folder = tmp_path / "stopped"
    process = started(short(folder, corpus, 100_000), folder, 5)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "Traceback" not in output + errors
    updates = len(losses(folder))
    assert progress(folder)["update"] == updates
    hred("train", corpus, "--out", folder, "--resume", "--max-updates", updates + 2, "--log-every", 1)
    assert len(losses(folder)) == updates + 2


def test_vhred_starts_from_hred(hred, corpus, trained, tmp_path) -> None:
    start = ("--init-from", trained / "hred", *settings("learning_rate=1e-12"))
    hred(*short(tmp_path / "run", corpus, 1, *start, name="vhred"))
    found, source = checkpoint(tmp_path / "run"), load_run(trained / "hred").model.state_dict()
    for name, value in source.items():
        own = found[name][:, : value.shape[1]] if value.dim() == 2 else found[name]
        torch.testing.assert_close(own, value, rtol=0, atol=1e-6)
    assert "started_from" in (tmp_path / "run" / "model_card.md").read_text()


def test_best_and_patience_count_only_once_the_kl_weight_is_one(hred, corpus, tmp_path) -> None:
    folder, still = tmp_path / "run", "learning_rate=1e-12"  # no validation can be better than the one before
    more = settings("kl_annealing_updates=5", "validate_every=2", "patience=2", still)
    hred(*short(folder, corpus, 4, *more, name="vhred"))
    assert (progress(folder)["best"], progress(folder)["worse"]) == (None, 0)
    assert load_run(folder).config["chosen_by"]["update"] == 4  # what there is can be looked at
    hred("train", corpus, "--out", folder, "--resume", "--max-updates", 50)
    found = progress(folder)
    assert (found["update"], found["best_update"], found["worse"]) == (10, 6, 2)
    assert load_run(folder).config["chosen_by"]["update"] == 6


def test_a_loss_that_is_no_number_is_a_sentence_and_can_be_gone_on_from(hred, corpus, tmp_path) -> None:
    folder = tmp_path / "run"
    hred(*short(folder, corpus, 3))
    bad = settings("learning_rate=1e38", "gradient_clip=0", "warmup_updates=0")
    with pytest.raises(TrainingError, match=r"no number any more.*--resume --set learning_rate="):
        hred("train", corpus, "--out", folder, "--resume", "--max-updates", 20, *bad)


def test_a_corpus_without_validation_is_refused_before_it_is_trained_on(hred, corpus, tmp_path) -> None:
    log = corpus.parent / "log.txt"
    hred("prepare", log, "--out", tmp_path / "corpus", "--vocabulary-size", 300, "--valid-share", 0)
    with pytest.raises(CorpusError, match=r"the split valid of .* has no reply"):
        hred("train", tmp_path / "corpus", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_seeds_change_the_run_and_zero_is_one_of_them(hred, corpus, tmp_path) -> None:
    for name, seed in (("a", 0), ("b", 1), ("c", 0)):
        hred(*short(tmp_path / name, corpus, 2, "--seed", seed))
    assert losses(tmp_path / "a") == pytest.approx(losses(tmp_path / "c"), rel=1e-6)
    assert losses(tmp_path / "a") != pytest.approx(losses(tmp_path / "b"), rel=1e-6)
    assert hred(*short(tmp_path / "d", corpus, 2, "--seed", -1)).exit_code == 2


def test_a_run_that_died_before_its_first_checkpoint_starts_anew(hred, corpus, tmp_path) -> None:
    hred(*short(tmp_path / "run", corpus, 1))
    for path in ("state/latest.json", "manifest.json"):
        (tmp_path / "run" / path).unlink()
    with pytest.raises(RunFolderError, match="no checkpoint to resume from; leave out --resume"):
        hred("train", corpus, "--out", tmp_path / "run", "--resume")
    hred(*short(tmp_path / "run", corpus, 2))
    assert len(losses(tmp_path / "run")) == 2


def test_wrong_usage_is_a_sentence(hred, corpus, make_corpus, trained, tmp_path) -> None:
    new = tmp_path / "new"
    old = trained / "hred"
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    for arguments, error, words in (
        ([corpus, "--out", old], UsageError, "holds a run already"),
        ([corpus, "--out", new, "--resume"], RunFolderError, "leave out --resume"),
        ([corpus, "--out", old, "--resume", "--seed", 3], UsageError, "leave these options out"),
        (
            [corpus, "--out", old, "--resume", *settings("hidden_size=8")],
            ConfigError,
            "no setting 'hidden_size'",
        ),
        ([make_corpus(2), "--out", old, "--resume"], UsageError, "another tokenizer"),
        ([tmp_path, "--out", new], CorpusError, "no prepared corpus"),
        ([corpus, "--out", new, "--model", "oracle"], ConfigError, "seq2seq, hred, vhred"),
        ([corpus, "--out", new, *settings("color=3")], ConfigError, "'color'"),
        ([corpus, "--out", new, *settings("hidden_size")], ConfigError, "name=value"),
        ([corpus, "--out", new, *settings("hidden_size=big")], ConfigError, "a whole number"),
        ([corpus, "--out", new, *settings("hidden_size=0")], ConfigError, "hidden_size is 0"),
        ([corpus, "--out", new, *settings("hidden_size=15")], ConfigError, "hidden_size"),
        ([corpus, "--out", new, *settings("kl_annealing_updates=3")], ConfigError, "kl_annealing_updates"),
        ([corpus, "--out", new, *settings("latent_size=3")], ConfigError, "latent_size"),
        ([corpus, "--out", new, *settings("vocab_size=17")], ConfigError, "vocab_size"),
        ([corpus, "--out", new, "--init-from", tmp_path / "none"], RunFolderError, "is no folder"),
        ([corpus, "--out", new, "--init-from", old, *settings("hidden_size=20")], ConfigError, "same sizes"),
    ):
        with pytest.raises(error) as caught:
            hred("train", *arguments, "--max-updates", 1)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not new.exists()  # a start that failed leaves nothing that a second try would fall over
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before
