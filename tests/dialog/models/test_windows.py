"""Runs over windows: every target is passed after exactly its last so many utterances."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.models.windows import Windows


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4), limit=st.integers(1, 7), data=st.data())
def test_a_run_has_the_last_utterances_before_each_of_its_targets(lengths, limit, data) -> None:
    turn = torch.arange(max(lengths))
    inside = turn < torch.tensor(lengths)[:, None]
    places = torch.where(inside, turn + 10 * torch.arange(len(lengths))[:, None], -1)  # 10 a window
    windows = Windows(torch.zeros(10 * len(lengths), 1), places, torch.tensor(lengths))
    some = [(window, before) for window, length in enumerate(lengths) for before in range(length + 1)]
    targets = data.draw(st.lists(st.sampled_from(some), min_size=1, max_size=9))
    owners, before = torch.tensor(targets).T
    runs = windows.runs(owners, before, limit)
    for (window, turns), run, time in zip(targets, runs.target_runs, runs.target_times, strict=True):
        assert int(runs.windows[run]) == window
        assert time <= runs.lengths[run]
        wanted = [10 * window + place for place in range(max(turns - limit, 0), turns)]
        assert runs.places[run, :time].tolist() == wanted
    near = len(lengths) + sum(turns > limit for _, turns in targets)
    assert len(runs.lengths) == near  # one a window, and one a target that is further in
