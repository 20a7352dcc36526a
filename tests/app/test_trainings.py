"""Trainings of the page: real processes that outlive whoever started them, one at a time."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from app.learning import LEARNING
from app.runs import curve_of, run_folders
from app.store import Store
from app.trainings import Plan, Trainings
from dialog.errors import TrainingError, UsageError
from tests.app.cli.tiny_runs import make_runs
from tests.app.reviews import add_reviews

SECONDS = 600  # on a machine that is busy with other things


def wait_until(condition, trainings: Trainings, name: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, (trainings.folder / name / LEARNING / "log.txt").read_text()
        time.sleep(0.05)


def of(trainings: Trainings, name: str):
    found = trainings.of(trainings.folder / name, trainings.running())
    assert found is not None
    return found


def test_one_runs_at_a_time_is_found_again_stopped_and_gone_on_with(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'sessions.db'}"
    with Store.open(url) as store:
        add_reviews(store, "ann", 6, learns=True)
    start = make_runs(tmp_path / "first", ["hred"]) / "hred"
    trainings = Trainings(tmp_path / "runs", url)
    assert trainings.running() is None and not trainings.folder.exists()
    plan = Plan("", 600, 20_000, 0.001)
    name = trainings.start(start, plan, "hred")
    assert name == "hred-v2" and trainings.running() == name
    pid = json.loads((trainings.folder / ".learning").read_bytes())["pid"]
    try:
        again = Trainings(
            tmp_path / "runs", url
        )  # as a server that starts anew, or another one of this machine
        with pytest.raises(TrainingError, match="the training hred-v2 runs already"):
            again.start(start, plan, "hred")
        with pytest.raises(TrainingError, match="runs already"):
            again.go_on(name, 1, None)
        wait_until(lambda: curve_of(trainings.folder / name).train or not again.running(), again, name)
        assert of(again, name).state == "running", of(again, name).log
        if hasattr(os, "getpriority"):
            assert os.getpriority(os.PRIO_PROCESS, pid) >= 10
        again.stop(name)
        wait_until(lambda: again.running() is None, again, name)
        stopped = of(trainings, name)
        assert (stopped.state, stopped.plan.updates, stopped.plan.machine) == (
            "stopped",
            20_000,
            again.machine,
        )
        assert (trainings.folder / name / "state" / "latest.json").is_file()
        with pytest.raises(TrainingError, match="does not run"):
            again.stop(name)

        update = curve_of(trainings.folder / name).update
        again.go_on(name, 1, None)
        pid = json.loads((trainings.folder / ".learning").read_bytes())["pid"]
        wait_until(
            lambda: curve_of(trainings.folder / name).update > update or not again.running(), again, name
        )
        assert "going on after update" in (trainings.folder / name / LEARNING / "log.txt").read_text()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: again.running() is None, again, name)
        assert of(again, name).state == "broken off"
    finally:
        if trainings.running():
            os.kill(pid, signal.SIGKILL)
    assert [folder.name for folder in run_folders(trainings.folder)] == ["hred-v2"]


def test_a_training_that_cannot_begin_says_why(tmp_path: Path) -> None:
    trainings = Trainings(tmp_path / "runs", f"sqlite:///{tmp_path / 'sessions.db'}")
    name = trainings.start(tmp_path / "nowhere", Plan("", 1, 2, 0.001), "../hred-v7 <b>")
    wait_until(lambda: trainings.running() is None, trainings, name)
    failed = of(trainings, name)
    assert name == "hred-v7_b-v2" and failed.state == "failed"
    assert "no folder and no shipped model" in failed.reason and failed.reason in failed.log


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((0, None, 0.1), "the time is 0 minutes"),
        ((float("nan"), None, 0.1), "the time is nan"),
        ((1e9, None, 0.1), "at most 1,440"),
        ((1, 0, 0.1), "the number of updates is 0"),
        ((1, 10**9, 0.1), "at most|to 1,000,000"),
        ((1, 5, 0), "the learning rate is 0"),
        ((1, 5, float("nan")), "the learning rate is nan"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(values, sentence) -> None:
    with pytest.raises(UsageError, match=sentence):
        Plan("", *values)


def test_a_strange_folder_is_no_training_and_a_full_one_is_told(tmp_path: Path) -> None:
    trainings = Trainings(tmp_path / "runs", "sqlite://")
    (tmp_path / "runs" / "odd" / LEARNING).mkdir(parents=True)
    for text in ("", "{", "[]", '{"start": 1}'):
        (tmp_path / "runs" / "odd" / LEARNING / "asked.json").write_text(text)
        assert trainings.of(tmp_path / "runs" / "odd", None) is None
    for name in ("odd", "../first", "nobody"):
        with pytest.raises(TrainingError, match="there is no training"):
            trainings.go_on(name, 1, None)
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written to"):
        Trainings(tmp_path / "file" / "runs", "sqlite://").start(tmp_path, Plan("", 1, 1, 0.1), "hred")
