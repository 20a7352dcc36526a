"""Killed at any moment and gone on with, a run ends as one that was never stopped, to the last bit.

Each start is a process of its own, killed by SIGKILL at moments drawn from a seed: some anywhere, some while
a checkpoint is being written. All are forked from one that has imported torch, which saves seconds a start.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.utils import set_seed

UPDATES = 24
SETTINGS = {
    "vhred": "latent_size=5 kl_annealing_updates=12 free_bits=0.1 bag_of_words=true context_size=14",
    "hred": "context_size=14",
}
SIZES = "embedding_size=12 hidden_size=16 batch_tokens=400 learning_rate=0.02 warmup_updates=4"
VALIDATION = "validate_conversations=4 validate_every=6 sample_replies=1 measure_replies=20 decay_updates=40"
CLOCK = ("minutes", "tokens_per_second")

NURSERY = """
import os, sys
from dialog.training.reproducibility import set_variables
set_variables()
from app.cli.main import main
import app.cli.training_display, dialog.corpus.tokenized, dialog.training.trainer
import dialog.training.curves, dialog.training.estimate
dialog.training.curves.draw_curves, dialog.training.estimate._TIMED_UPDATES = (lambda *_: None), 2
import pandas, torch._dynamo  # what training would import after its start
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.stdin.close()
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.environ["OUTPUT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream.fileno())
        sys.argv = ["hred", *line.split()]
        main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """Starts `hred train` again and again."""

    def __init__(self, output: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            env={**os.environ, "OUTPUT": str(output)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.output = output

    def start(self, *arguments: object) -> int:
        """Returns the process's number."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, arguments)) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def status(self) -> int:
        """Waits for the process and returns its exit status, below 0 if it was killed."""
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=300)


@pytest.fixture(scope="module")
def nursery(tmp_path_factory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("nursery") / "output")
    yield made
    made.close()


def command(folder: Path, corpus: Path, name: str, log_every: int) -> list[object]:
    parts = ["train", corpus, "--out", folder, "--max-updates", UPDATES, "--log-every", log_every]
    if (folder / "state" / "latest.json").exists():
        return [*parts, "--checkpoint-every", 4, "--resume"]
    sizes = f"{SIZES} {VALIDATION} {SETTINGS.get(name, '')}".split()
    return [
        *parts, "--checkpoint-every", 4, "--model", name, *(part for size in sizes for part in ("--set", size))
    ]  # fmt: skip


def await_moment(folder: Path, draw: random.Random, process: int) -> str:
    """Waits until the process is to be killed: in the middle of a checkpoint, or anywhere."""
    begun, state = (folder / "metrics.jsonl"), folder / "state"
    before = begun.read_bytes() if begun.exists() else b""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and (not begun.exists() or len(begun.read_bytes()) <= len(before)):
        if not Path(f"/proc/{process}/stat").exists() or is_dead(process):
            return "ended"
        time.sleep(0.0005)
    if draw.random() < 0.5:
        while not is_dead(process):
            if next(state.glob(".*.new"), None) is not None:
                time.sleep(draw.uniform(0, 0.004))
                return "checkpoint"
    else:
        time.sleep(draw.uniform(0, 0.25))
    return "anywhere"


def is_dead(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def left_behind(folder: Path) -> dict[str, Any]:
    """Everything that a run leaves but what the clock says."""
    log = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    place = folder / "state" / str(UPDATES)
    progress = json.loads((place / "progress.json").read_bytes())
    progress["interval"].pop("seconds", None)
    return {
        "log": [{name: value for name, value in line.items() if name not in CLOCK} for line in log],
        "progress": {name: value for name, value in progress.items() if name not in ("minutes", "log_bytes")},
        "weights": (place / "model.safetensors").read_bytes(),
        "optimizer": (place / "optimizer.pt").read_bytes(),
        "best weights": (folder / "model.safetensors").read_bytes(),
        "config": json.loads((folder / "config.json").read_bytes()),
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
@pytest.mark.parametrize(("name", "log_every", "kills"), [("vhred", 1, 5), ("hred", 7, 3)])
def test_a_killed_run_ends_as_one_that_was_never_stopped(
    nursery, corpus, tmp_path, name, log_every, kills
) -> None:
    draw = random.Random(f"{name} {log_every}")
    nursery.start(*command(tmp_path / "whole", corpus, name, log_every))
    assert nursery.status() == 0, nursery.output.read_text()
    killed, moments = tmp_path / "killed", []
    while len(moments) < kills:
        process = nursery.start(*command(killed, corpus, name, log_every))
        moment = await_moment(killed, draw, process)
        if not is_dead(process):
            # SIGTERM, as Ctrl-C, is a wish: it stops after the update, and breaks a validation off.
            os.kill(process, signal.SIGTERM if len(moments) == 2 else signal.SIGKILL)
        status = nursery.status()
        assert status in (0, -signal.SIGKILL), nursery.output.read_text()
        if (killed / "state" / str(UPDATES)).exists() and status == 0:
            break
        moments.append(moment)
    nursery.start(*command(killed, corpus, name, log_every))
    assert nursery.status() == 0, nursery.output.read_text()
    assert len(moments) >= 2
    assert not list(killed.rglob(".*.new"))
    whole, found = left_behind(tmp_path / "whole"), left_behind(killed)
    updates = [line["update"] for line in whole["log"] if line["split"] == "train"]
    assert updates == list(range(log_every, UPDATES + 1, log_every))
    assert found["log"] == whole["log"]
    assert {part for part in whole if found[part] != whole[part]} == set()


@pytest.mark.parametrize("name", ["seq2seq", *SETTINGS, "lm"])
def test_nothing_draws_from_the_generators_that_all_share(hred, corpus, tmp_path, name) -> None:
    """So a checkpoint needs no state of theirs: after training they are as the seed has left them."""
    done = hred(*command(tmp_path / "run", corpus, name, 1), "--max-updates", 7, "--seed", 5)
    assert done.exit_code == 0, done.output
    found = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    set_seed(5)
    assert found == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_a_run_that_was_given_updates_bit_by_bit_is_as_one_that_got_them_at_once(
    hred, corpus, tmp_path
) -> None:
    """The validation at the end of a start is no part of the run, though its weights are kept if they are best."""
    for updates in (UPDATES, 9, 14, UPDATES):
        folder = tmp_path / ("whole" if not tmp_path.joinpath("whole").exists() else "parts")
        done = hred(*command(folder, corpus, "vhred", 5), "--max-updates", updates)
        assert done.exit_code == 0, done.output
    whole, parts = left_behind(tmp_path / "whole"), left_behind(tmp_path / "parts")
    kept = {"best weights", "config"}  # of the validation at update 14, if that was best
    assert {part for part in whole if parts[part] != whole[part]} <= kept


def test_other_conditions_are_told_and_the_run_goes_on(hred, corpus, tmp_path) -> None:
    run = tmp_path / "run"
    hred(*command(run, corpus, "hred", 1), "--max-updates", 2)
    assert json.loads((run / "config.json").read_text())["conditions"]["threads"] >= 1
    assert "other conditions" not in hred(*command(run, corpus, "hred", 1), "--max-updates", 3).output
    place = run / "state" / "3" / "progress.json"
    progress = json.loads(place.read_text())
    progress["conditions"]["threads"] = 99
    place.write_text(json.dumps(progress))
    done = hred(*command(run, corpus, "hred", 1), "--max-updates", 4)
    assert done.exit_code == 0
    assert "not to the last bit" in done.output and "threads 99 then" in done.output
    assert json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["update"] == 4
