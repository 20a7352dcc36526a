"""The race with and without clipping: the same start, the same sequences, steps of bounded length."""

import math

import pytest

from dialog.evaluation.pictures import clipping
from dialog.evaluation.pictures.cells import CellSpec
from dialog.evaluation.pictures.clipping import Descent, Race, RecallOptions, descend, draw_races, race

SPEC = CellSpec.parse("rnn_tanh,scale=1.5")
SMALL = RecallOptions(length=5, hidden_size=6, batch=8, updates=4, learning_rate=0.1, clip=0.5)


def test_both_begin_alike_and_part_where_the_gradient_is_longer() -> None:
    one = race(SPEC, SMALL, 1)
    assert one.free.losses[0] == one.clipped.losses[0]
    assert one.free.norms[0] == one.clipped.norms[0] > 0.5
    assert one.free.losses[1] != one.clipped.losses[1]


def test_a_bound_that_no_gradient_reaches_clips_nothing() -> None:
    assert descend(SPEC, SMALL, 1, 1e6) == descend(SPEC, SMALL, 1, math.inf)


def test_a_step_is_never_longer_than_clip_times_rate(monkeypatch) -> None:
    lengths, step_down = [], clipping._step_down

    def measured(weights, learning_rate):
        before = [weight.detach().clone() for weight in weights]
        step_down(weights, learning_rate)
        moved = sum(float((a.detach() - b).square().sum()) for a, b in zip(weights, before, strict=True))
        lengths.append(math.sqrt(moved))

    monkeypatch.setattr(clipping, "_step_down", measured)
    descend(SPEC, SMALL, 1, 0.5)
    assert len(lengths) == 4
    assert max(lengths) <= 0.1 * 0.5 * (1 + 1e-4)


def test_a_short_task_is_learnt() -> None:
    options = RecallOptions(length=3, hidden_size=16, updates=120, learning_rate=0.5)
    found = descend(CellSpec.parse("rnn_tanh"), options, 1, 1.0)
    assert found.losses[0] > 1
    assert found.end < 0.2


def test_the_end_is_the_mean_of_the_last_tenth() -> None:
    assert Descent(tuple(range(100)), ()).end == pytest.approx(94.5)
    assert Descent((3.0,), ()).end == 3


def test_it_can_be_drawn_even_of_a_training_that_left_the_numbers(tmp_path) -> None:
    lost = Descent((1.0, math.nan, math.nan), (1.0, math.inf, math.nan))
    draw_races([Race(7, lost, Descent((1.0, 0.5, 0.2), (2.0, 1.0, 0.5)))], SMALL, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "not clipped" in text
    assert "seed 7" in text
