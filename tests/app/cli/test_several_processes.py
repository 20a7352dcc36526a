"""Two real processes, started by torchrun and by Accelerate's launcher, make the losses of one; one may die.

The losses are those of one process within a relative 1e-5.
"""

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

from dialog.run_folder import load_run

UPDATES, VALIDATE_EVERY = 8, 4
PATIENCE = 300  # seconds
SETTINGS = (
    "embedding_size=12", "hidden_size=16", "context_size=14", "latent_size=5", "batch_tokens=200", "patience=0",
    "bag_of_words=true", "free_bits=0.01", "kl_annealing_updates=4", f"validate_every={VALIDATE_EVERY}",
    "batches_per_update=2", "measure_replies=0", "sample_replies=0", "learning_rate=0.01", "warmup_updates=0",
)  # fmt: skip
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2")
ACCELERATE = (
    "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0",
)  # fmt: skip


def arguments(corpus: Path, folder: Path, updates: int, *more: str) -> list[str]:
    assignments = [part for setting in (*SETTINGS, *more) for part in ("--set", setting)]
    limits = ["--max-updates", str(updates), "--log-every", "1"]
    return ["train", str(corpus), "--out", str(folder), "--model", "vhred", *limits, *assignments]


def started(launcher: tuple[str, ...], command: list[str], home: Path) -> "subprocess.Popen[str]":
    """Starts two processes in a group of their own, as a terminal does."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "dialog", *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_lines(process: "subprocess.Popen[str]", folder: Path, wanted: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        log = folder / "metrics.jsonl"
        if log.exists() and len(log.read_text().splitlines()) >= wanted:
            return
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError(process.communicate()[1])


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """Returns the process ids of a launcher's processes, by their numbers."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    found = {}
    for child in children:
        variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        found.update({int(v[5:]): int(child) for v in variables if v.startswith(b"RANK=")})
    return [found[number] for number in range(2)]


def log(folder: Path, last: int) -> list[dict[str, Any]]:
    """Returns the lines up to an update, without times and without a validation that only the end brought."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in line.items() if name not in ("minutes", "tokens_per_second")}
        for line in lines
        if line["update"] <= last and (line["split"] == "train" or line["update"] % VALIDATE_EVERY == 0)
    ]


def latest(folder: Path) -> int:
    update: int = json.loads((folder / "state" / "latest.json").read_text())["update"]
    return update


def weights(folder: Path, update: int) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "state" / str(update) / "model.safetensors")


def assert_close(found: Any, wanted: Any, place: str = "log") -> None:
    """Compares numbers within 1e-5 and all else exactly, inside of objects and lists, too."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), place
        for name, value in wanted.items():
            assert_close(found[name], value, f"{place}.{name}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), place
        for number, value in enumerate(wanted):
            assert_close(found[number], value, f"{place}[{number}]")
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6), place
    else:
        assert found == wanted, place


def assert_same_run(folder: Path, wanted: Path, update: int) -> None:
    """Compares each figure of each line, and the weights, with those of one process."""
    found, expected = log(folder, update), log(wanted, update)
    assert len(found) == len(expected) == update + update // VALIDATE_EVERY
    assert_close(found, expected)
    assert latest(folder) == update
    for name, value in weights(wanted, update).items():
        torch.testing.assert_close(weights(folder, update)[name], value, rtol=1e-4, atol=1e-6)


@pytest.fixture
def alone(hred, corpus, tmp_path):
    """Trains in this process, with one thread as each of several has: more add in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def train(updates: int) -> Path:
        folder = tmp_path / f"alone-{updates}"
        assert hred(*arguments(corpus, folder, updates)).exit_code == 0
        return folder

    yield train
    torch.set_num_threads(threads)


def test_two_processes_give_the_losses_of_one(corpus, alone, tmp_path) -> None:
    folder = tmp_path / "two"
    process = started(TORCHRUN, arguments(corpus, folder, UPDATES), tmp_path)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert_same_run(folder, alone(UPDATES), UPDATES)
    assert load_run(folder).config["training"]["batches_per_update"] == 2
    # Process 0 alone tells and writes.
    assert "2 processes share the 2 batches of an update" in output
    for said in ("parameters; an epoch is", f"validation at update {UPDATES}", "run folder:"):
        assert output.count(said) == 1
    assert "hred:" not in errors
    assert not list(folder.glob("**/.*"))


@pytest.mark.parametrize(("launcher", "victim"), [(TORCHRUN, 1), (ACCELERATE, 0)])
def test_a_process_that_is_killed_ends_the_run_with_a_sentence_and_a_checkpoint(
    hred, corpus, alone, tmp_path, launcher, victim
) -> None:
    folder = tmp_path / "killed"
    process = started(launcher, arguments(corpus, folder, 100_000), tmp_path)
    wait_for_lines(process, folder, 6)
    killed = workers_of(process)[victim]
    os.kill(killed, signal.SIGKILL)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    sentences = [line for line in errors.splitlines() if line.startswith("hred")]
    update = latest(folder)
    assert len(sentences) == 1, errors
    assert f"process {victim} (id {killed} on " in sentences[0]
    assert f"go on from the checkpoint of update {update} with --resume" in sentences[0]
    # One process goes on from what two have left.
    more = ["--resume", "--max-updates", str(update + 3), "--log-every", "1"]
    assert hred("train", corpus, "--out", folder, *more).exit_code == 0
    assert_same_run(folder, alone(update + 3), update + 3)


def test_a_stop_under_a_launcher_leaves_one_checkpoint(corpus, alone, tmp_path) -> None:
    """Ctrl-C reaches every process, and the launcher passes it on once more and SIGTERM with it."""
    folder = tmp_path / "stopped"
    process = started(TORCHRUN, arguments(corpus, folder, 100_000), tmp_path)
    wait_for_lines(process, folder, 6)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE)
    update = latest(folder)
    kept = {path.name for path in (folder / "state").iterdir() if path.name.isdigit()}
    assert kept - {"0"} == {str(update)}  # training begins with one, before the first update
    assert output.count("run folder:") == 1 and "hred:" not in errors
    assert_same_run(folder, alone(update), update)


def test_a_validation_that_a_stop_broke_off_is_made_up_for(hred, corpus, alone) -> None:
    """What a stop during the validation of update 8 leaves: a checkpoint of update 8 that knows nothing of it."""
    folder, more = alone(UPDATES), UPDATES + VALIDATE_EVERY
    *lines, validation = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    assert json.loads(validation)["split"] == "valid"
    (folder / "metrics.jsonl").write_text("".join(lines))
    place = folder / "state" / str(UPDATES) / "progress.json"
    progress = json.loads(place.read_text())
    assert progress["last_validation"] == UPDATES
    place.write_text(json.dumps({**progress, "last_validation": UPDATES - VALIDATE_EVERY}))
    hred("train", corpus, "--out", folder, "--resume", "--max-updates", more, "--log-every", 1)
    assert_same_run(folder, alone(more), more)


def test_more_processes_than_batches_is_a_sentence(corpus, tmp_path) -> None:
    folder = tmp_path / "run"
    command = arguments(corpus, folder, 2, "batches_per_update=1")
    process = started(TORCHRUN, command, tmp_path)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    (sentence,) = [line for line in errors.splitlines() if line.startswith("hred")]
    assert sentence == (
        "hred: 2 processes cannot share updates of 1 batches; add --set batches_per_update=2, or a multiple of it"
    )
