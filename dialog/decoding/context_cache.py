"""Context states of running chats, kept so that a further turn costs one utterance and not the history."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from dialog.models.base import ContextState

__all__ = ["ContextCache", "further_hashes", "prefix_hashes"]


def prefix_hashes(texts: Sequence[str]) -> list[str]:
    """Returns the hash of each prefix of `texts`, from the empty one on: one more than there are turns."""
    return further_hashes(hashlib.sha256(b"").hexdigest(), texts)


def further_hashes(prefix_hash: str, texts: Sequence[str]) -> list[str]:
    """Returns the hash of a prefix and of those that are one, two, … of `texts` longer."""
    hashes = [bytes.fromhex(prefix_hash)]
    for text in texts:
        hashes.append(hashlib.sha256(hashes[-1] + text.encode("utf-8", "surrogatepass")).digest())
    return [value.hex() for value in hashes]


class ContextCache:
    """Context states by the hash of their turns, the least recently used out first.

    Args:
        max_bytes: of all kept states together.
        clock: seconds, never going back.
    """

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes, self._clock = max_bytes, clock
        self._num_bytes = 0
        self._states: OrderedDict[str, ContextState] = OrderedDict()
        self._used_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def longest(self, hashes: Sequence[str]) -> tuple[int, ContextState | None]:
        """Returns the state of the longest prefix that is kept, and how many turns it has read."""
        with self._lock:
            for num_turns in range(len(hashes) - 1, -1, -1):
                if hashes[num_turns] in self._states:
                    self._states.move_to_end(hashes[num_turns])
                    self._used_at[hashes[num_turns]] = self._clock()
                    return num_turns, self._states[hashes[num_turns]]
        return 0, None

    def keep(self, prefix_hash: str, state: ContextState) -> None:
        """Keeps a state, and lets the least recently used go where there are too many."""
        with self._lock:
            self._drop(prefix_hash)
            self._states[prefix_hash] = state
            self._used_at[prefix_hash] = self._clock()
            self._num_bytes += state.num_bytes
            while self._num_bytes > self._max_bytes:
                self._drop(next(iter(self._states)))

    def forget(self, hashes: Iterable[str]) -> None:
        """Drops the states of these prefixes, where they are kept."""
        with self._lock:
            for prefix_hash in hashes:
                self._drop(prefix_hash)

    def forget_unused(self, seconds: float) -> None:
        """Drops the states that were not used for so long."""
        before = self._clock() - seconds
        with self._lock:
            while self._states and self._used_at[oldest := next(iter(self._states))] < before:
                self._drop(oldest)

    def _drop(self, prefix_hash: str) -> None:
        if prefix_hash in self._states:
            self._num_bytes -= self._states.pop(prefix_hash).num_bytes
            del self._used_at[prefix_hash]
