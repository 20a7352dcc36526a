"""Windows of conversations as rows of places of utterance vectors, and what an RNN must run over to reach targets.

A target behind the first so many utterances of its window is reached by a run of its own, which begins later: an RNN
that knows the last utterances alone knows the same of each target, however far into a window it stands.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Runs", "Windows"]


@dataclass(frozen=True, slots=True)
class Runs:
    """Which utterances an RNN runs over, from its first state each time, and where it passes some targets.

    Attributes:
        windows: (run,) int64, the window of each run.
        places: (run, turn) int64 into the windows' vectors; what is behind a run's end is not read.
        lengths: (run,) int64 on the CPU, utterances of each.
        target_runs: (target,) int64, the run of each target.
        target_times: (target,) int64, utterances of the run before it.
    """

    windows: Tensor
    places: Tensor
    lengths: Tensor
    target_runs: Tensor
    target_times: Tensor


@dataclass(frozen=True, slots=True)
class Windows:
    """Which utterance vectors stand in which windows, those that were kept from before a window first.

    Attributes:
        vectors: (vector, size).
        places: (window, turn) int64 into them, -1 behind a window's end.
        lengths: (window,) int64 on the CPU.
    """

    vectors: Tensor
    places: Tensor
    lengths: Tensor

    def runs(self, target_windows: Tensor, target_turns: Tensor, limit: int) -> Runs:
        """Plans the runs of an RNN up to some targets, over their last `limit` utterances.

        One over the beginning of a window serves all targets there; each target behind it has one of its own.

        Args:
            target_windows: (target,) int64 on the CPU, the window of each target.
            target_turns: (target,) int64 on the CPU, how many utterances of its window stand before each.
            limit: utterances of a run at most.
        """
        count, device = len(self.lengths), self.places.device
        is_far = target_turns > limit
        near, far = target_turns.clamp(max=limit), torch.nonzero(is_far).flatten()
        lengths = torch.zeros(count, dtype=torch.int64)
        lengths = lengths.scatter_reduce(0, target_windows, near.masked_fill(is_far, 0), "amax")
        lengths = functional.pad(lengths, (0, len(far)), value=limit)
        owners = torch.cat([torch.arange(count), target_windows[far]]).to(device)
        firsts = functional.pad(target_turns[far] - limit, (count, 0))
        turns = firsts[:, None] + torch.arange(int(lengths.max()))  # (run, turn), also behind a window's end
        turns = turns.clamp(max=max(self.places.shape[1] - 1, 0)).to(device)
        runs = target_windows.masked_scatter(is_far, count + torch.arange(len(far)))
        return Runs(owners, self.places[owners].gather(1, turns), lengths, runs.to(device), near.to(device))
