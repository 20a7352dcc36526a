"""A disk that is full, a folder that cannot be written to: one sentence, and the last checkpoint goes on.

The disk is a real file system of 2 MB; where none can be mounted, a limit on a file's size stands in for it.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialog.errors import RunFolderError
from dialog.run_folder import load_run
from dialog.training.checkpoints import load_progress

SIZES = ("embedding_size=12", "hidden_size=16", "context_size=14", "batch_tokens=400", "sample_replies=0")
TRAINING = ("measure_replies=0", "validate_every=3", "validate_conversations=4", "patience=0")


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"there is no mount here: {error}")
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def arguments(folder: Path, corpus: Path, updates: int) -> list[object]:
    parts: list[object] = ["train", corpus, "--out", folder, "--max-updates", updates, "--log-every", 1]
    parts += ["--checkpoint-every", 2]
    if folder.exists():
        return [*parts, "--resume"]
    return [*parts, *(part for size in (*SIZES, *TRAINING) for part in ("--set", size))]


def train(hred, folder: Path, corpus: Path, updates: int) -> str | None:
    """Returns the sentence of what went wrong, if anything did."""
    try:
        hred(*arguments(folder, corpus, updates))
    except RunFolderError as error:
        return str(error)
    return None


def losses(folder: Path) -> list[tuple[int, str, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["update"], line["split"], line["nats_per_token"]) for line in lines]


def last(folder: Path) -> bytes:
    return (folder / "state" / str(load_progress(folder).update) / "model.safetensors").read_bytes()


def check_sentence(sentence: str | None, reason: str, folder: Path) -> None:
    assert sentence is not None
    assert "\n" not in sentence
    assert str(folder) in sentence and reason in sentence
    assert f"checkpoint of update {load_progress(folder).update} is whole" in sentence
    assert "--resume" in sentence


def test_a_full_disk_costs_nothing_but_time(hred, corpus, disk, tmp_path) -> None:
    """Space for some files of a checkpoint or none: the one before it stays, and the run ends as if none had failed."""
    run, filler = disk / "run", disk / "filler"
    assert train(hred, run, corpus, 4) is None
    failures = 0
    for free in (0, 8, 60, 200, 400):  # KiB
        size = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - free * 1024
        filler.write_bytes(b"x" * max(size, 0))
        before = load_progress(run).update
        sentence = train(hred, run, corpus, 12)
        filler.unlink()
        if sentence is not None:
            failures += 1
            check_sentence(sentence, "No space left on device", run)
        assert load_progress(run).update >= before
        load_run(run)
        assert not list((run / "state").glob(".*.new"))
    assert failures >= 3
    assert train(hred, run, corpus, 12) is None
    whole = tmp_path / "whole"
    assert train(hred, whole, corpus, 4) is None
    assert train(hred, whole, corpus, 12) is None
    assert losses(run) == losses(whole)
    assert last(run) == last(whole)


def test_a_folder_that_is_read_only_is_told_before_anything_is_done(hred, corpus, disk) -> None:
    run = disk / "run"
    assert train(hred, run, corpus, 4) is None
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    check_sentence(train(hred, run, corpus, 8), "Read-only file system", run)
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert train(hred, run, corpus, 8) is None
    assert load_progress(run).update == 8


def test_a_file_in_place_of_the_folder_is_a_sentence(hred, corpus, tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(RunFolderError, match="cannot be written to .* then start again") as caught:
            hred("train", corpus, "--out", folder, "--max-updates", 1)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"


def test_files_that_may_not_grow_are_as_a_full_disk(hred, corpus, tmp_path) -> None:
    """By the real command: one line on standard error, and status 1."""
    run = tmp_path / "run"
    assert train(hred, run, corpus, 4) is None
    # Half of the largest file: what is written next differs from it by a few bytes in either direction.
    most = max(path.stat().st_size for path in run.rglob("*") if path.is_file()) // 2
    done = subprocess.run(
        [sys.executable, "-m", "dialog", *map(str, arguments(run, corpus, 12))],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    check_sentence(done.stderr.strip(), "File too large", run)
    assert train(hred, run, corpus, 12) is None
