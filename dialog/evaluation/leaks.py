"""How much of a split stands in the training data, case, space and punctuation ignored, and the part that does not.

A *conversation* leaks whose letters and digits are those of a training conversation, as `hred prepare` counts
it; most leak *turn by turn*, a few are cut into turns elsewhere. A *pair* leaks, a turn and the scored reply to
it, that stands so side by side somewhere in the training data. Short everyday pairs leak in clean splits, too, so
the clean part leaves out conversations that leak, however they are cut, and pairs are counted only.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from dialog.evaluation.sums import Sums
from dialog.evaluation.talks import Talk
from dialog.text.loose import loose_digest, loose_letters

__all__ = ["Leaks", "measure_leaks"]


@dataclass(frozen=True, slots=True)
class Leaks:
    """What of a split stands in the training data.

    Attributes:
        sums: of each conversation `leaked` and `leaked_turns` (turn by turn), 0 or 1, `pairs` and `leaked_pairs`.
    """

    sums: Sums

    @property
    def leaked(self) -> tuple[str, ...]:
        """The conversations that stand in the training data."""
        return self._ids(1)

    @property
    def clean(self) -> tuple[str, ...]:
        """The others."""
        return self._ids(0)

    def _ids(self, value: int) -> tuple[str, ...]:
        places = np.flatnonzero(self.sums.column("leaked") == value)
        return tuple(self.sums.ids[place] for place in places.tolist())

    def to_json(self) -> dict[str, Any]:
        """Returns the counts as plain JSON values."""
        return {
            "conversations": len(self.sums.ids),
            "leaked_conversations": len(self.leaked),
            "leaked_turn_by_turn": int(self.sums.column("leaked_turns").sum()),
            "pairs": int(self.sums.column("pairs").sum()),
            "leaked_pairs": int(self.sums.column("leaked_pairs").sum()),
        }


def measure_leaks(split: Iterable[Talk], train: Iterable[Talk]) -> Leaks:
    """Looks for the conversations and pairs of a split in the training data.

    Args:
        split: the conversations that are scored; memory is 32 bytes or so a turn of these.
        train: the training conversations, read once and not kept.
    """
    talks = [(talk.id, _digests(talk), list(_scored_pairs(talk))) for talk in split]
    wanted = {digest for _, digests, _ in talks for digest in digests}
    wanted_pairs = {pair for _, _, pairs in talks for pair in pairs}
    found: set[bytes] = set()
    found_pairs: set[bytes] = set()
    for talk in train:
        found.update(wanted.intersection(_digests(talk)))
        found_pairs.update(wanted_pairs.intersection(_pairs(talk)))
    return Leaks(
        Sums.of(
            [name for name, _, _ in talks],
            {
                "leaked": [whole in found for _, (whole, _), _ in talks],
                "leaked_turns": [turns in found for _, (_, turns), _ in talks],
                "pairs": [len(pairs) for _, _, pairs in talks],
                "leaked_pairs": [sum(pair in found_pairs for pair in pairs) for _, _, pairs in talks],
            },
        )
    )


def _digests(talk: Talk) -> tuple[bytes, bytes]:
    """Returns what tells the conversation, however it is cut into turns, and turn by turn."""
    return loose_digest(talk.texts), _digest(b"turns", *_letters(talk))


def _letters(talk: Talk) -> list[bytes]:
    return [loose_letters(text) or text.encode() for text in talk.texts]


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(b"%d %s" % (len(part), part) for part in parts), digest_size=16).digest()


def _pairs(talk: Talk) -> Iterator[bytes]:
    for one, other in pairwise(_letters(talk)):
        yield _digest(b"pair", one, other)


def _scored_pairs(talk: Talk) -> Iterator[bytes]:
    for turn, pair in enumerate(_pairs(talk), 1):
        if talk.targets[turn]:
            yield pair
