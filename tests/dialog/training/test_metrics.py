"""The log of a training whose writing process died: what it had not written yet, another process writes."""

import json

import pytest

from dialog.training.checkpoints import Progress
from dialog.training.metrics import MetricsLog


def line(update, split="train"):
    return {"update": update, "split": split, "nats_per_token": 4.0 + update}


@pytest.mark.parametrize(
    ("written", "rest"),
    [
        ([1, 2], ""),  # it died before it wrote update 3
        ([1, 2], '{"update": 3, "split": "tr'),  # while it wrote it
        ([1, 2, 3], ""),  # after it
        ([1, 2, 3, 4], ""),  # another was further than the one that is left
    ],
)
def test_each_update_stands_once_whoever_wrote_it(tmp_path, written, rest):
    died, left = MetricsLog(tmp_path, None), MetricsLog(tmp_path, None, writes=False)
    for update in written:
        died.write(line(update))
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write(rest)
    for update in (1, 2, 3):
        left.write(line(update))
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == len(written) + bool(rest)
    left.take_over()
    found = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert found == [line(update) for update in range(1, max(3, *written) + 1)]


def test_a_validation_is_no_line_of_the_training(tmp_path):
    died, left = MetricsLog(tmp_path, None), MetricsLog(tmp_path, None, writes=False)
    died.write(line(4, "valid"))
    left.write(line(4))
    left.take_over()
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


def test_a_process_that_writes_takes_nothing_over(tmp_path):
    log = MetricsLog(tmp_path, None)
    log.write(line(1))
    log.take_over()
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(("last_validation", "kept"), [(8, True), (4, False)])
def test_a_validation_that_the_checkpoint_knows_nothing_of_is_dropped_for_it_is_made_again(
    tmp_path, last_validation, kept
):
    log = MetricsLog(tmp_path, None)
    for one in (line(4), line(4, "valid"), line(8), line(8, "valid"), line(9)):
        log.write(one)
    MetricsLog(tmp_path, Progress(update=8, last_validation=last_validation))
    found = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert found == [line(4), line(4, "valid"), line(8)] + [line(8, "valid")] * kept
