"""What the benchmarks share: medians with their spread, the table, the last line of JSON, made-up talk."""

import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MadeUpSplit", "Spread", "print_result", "seconds_of", "words"]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its quartiles and ends."""

    median: float
    lower: float
    upper: float
    least: float
    most: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """Makes it of at least two values."""
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return Spread(median, lower, upper, min(values), max(values))

    def text(self, digits: int = 3) -> str:
        """Returns `median (quartiles lower to upper, least to most)`."""
        median, lower, upper, least, most = (
            f"{value:.{digits}f}" for value in (self.median, self.lower, self.upper, self.least, self.most)
        )
        return f"{median} (quartiles {lower} to {upper}, all {least} to {most})"

    def to_json(self) -> dict[str, float]:
        """Returns the quartiles and ends as plain values."""
        return {"quartile_1": self.lower, "quartile_3": self.upper, "least": self.least, "most": self.most}


def seconds_of(action: Callable[[], Any]) -> float:
    """Returns how long `action` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def print_result(benchmark: str, limit: Any, results: list[dict[str, Any]]) -> None:
    """Prints the last line: one JSON object."""
    print(json.dumps({"benchmark": benchmark, "limit": limit, "results": results}))


def words(count: int, seed: int = 1) -> list[str]:
    """Returns made-up words, all different."""
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = draw.randint(1, 4)
        found["".join(draw.choice("bdfgklmnprst") + draw.choice("aeiou") for _ in range(syllables))] = None
    return list(found)


@dataclass(frozen=True, slots=True)
class _MadeUpConversation:
    utterances: list[NDArray[np.int32]]
    targets: NDArray[np.bool_]


class MadeUpSplit:
    """Conversations of random tokens, as long as those of everyday talk: about 8 turns of 14 tokens.

    Args:
        num_conversations: how many.
        vocab_size: tokens are drawn below it, the frequent ones first (Zipf's law).
        seed: of everything.
    """

    def __init__(self, num_conversations: int, vocab_size: int, seed: int = 1) -> None:
        random_numbers = np.random.default_rng(seed)
        turns = random_numbers.poisson(5.9, num_conversations) + 2
        self.offsets: NDArray[np.int64] = np.concatenate([[0], turns.cumsum()]).astype(np.int64)
        drawn = random_numbers.lognormal(2.35, 0.75, int(turns.sum()))
        self.lengths: NDArray[np.int32] = drawn.clip(1, 100).astype(np.int32)
        self.targets: NDArray[np.bool_] = np.ones(len(self.lengths), bool)
        self.targets[self.offsets[:-1]] = False
        shares = 1 / np.arange(1, vocab_size - 3)
        tokens = random_numbers.choice(vocab_size - 4, int(self.lengths.sum()), p=shares / shares.sum()) + 4
        self._utterances = np.split(tokens.astype(np.int32), self.lengths.cumsum()[:-1])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> _MadeUpConversation:
        turns = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return _MadeUpConversation(self._utterances[turns], self.targets[turns])
