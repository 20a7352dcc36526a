"""How much of its context a model uses: what the loss rises by when the earlier turns are changed.

Sankar et al. 2019, "Do Neural Dialog Systems Use the Conversation History Effectively?", changes what was said
before a reply and scores the same reply again. Here each reply is a conversation of its own, its earlier turns
(the last so many) and itself, of which it alone is scored:

| kind | earlier turns |
|---|---|
| `kept` | as they were: what the rise is measured from |
| `shuffled` | all of them, in another order |
| `last` | the last one alone |
| `none` | none |
| `other` | as many of another conversation's first turns; of one that has as many, or else the most |

A model that uses no more than the last turn loses nothing by `last`, and one that ignores the context nothing by
`other`. Every kind scores the same targets. Replies to the first turn have but one turn before them, which
shuffling cannot change; they are counted as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dialog.errors import UsageError
from dialog.evaluation.costs import measure_costs
from dialog.evaluation.sums import Figure, Sums
from dialog.models.base import ReplyModel
from dialog.text.loader import EncodedSplit

__all__ = ["CONTEXT_FIGURES", "KINDS", "Kind", "Perturbed", "measure_context_use"]

Kind = Literal["kept", "shuffled", "last", "none", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)

CONTEXT_TURNS = 10


@dataclass(frozen=True, slots=True)
class _Reply:
    """A context and the one reply that is scored."""

    utterances: Sequence[NDArray[np.int32]]
    targets: NDArray[np.bool_]


class Perturbed:
    """Each target of a split behind a changed context, as a conversation of its own; an `EncodedSplit`.

    Args:
        split: the conversations.
        kind: what becomes of the earlier turns.
        seed: of orders and of other conversations; each target draws for itself, so that a part of a split is
            changed as the whole is.
        context_turns: earlier turns that are looked at, the last ones.
        max_conversations: targets of the first so many only; None for all.

    Raises:
        UsageError: there is no such kind, or no other conversation to take turns from.
    """

    def __init__(
        self,
        split: EncodedSplit,
        kind: Kind,
        seed: int = 0,
        context_turns: int = CONTEXT_TURNS,
        max_conversations: int | None = None,
    ) -> None:
        if kind not in KINDS:
            raise UsageError(f"there is no change of the context {kind!r}: choose {', '.join(KINDS)}")
        if kind == "other" and len(split) < 2:
            raise UsageError(
                "a split of one conversation has no other one to take turns from; give a larger one"
            )
        self._split = split
        count = len(split) if max_conversations is None else min(max_conversations, len(split))
        places = np.flatnonzero(split.targets[: split.offsets[count]])
        self.conversations: NDArray[np.int64] = np.searchsorted(split.offsets, places, side="right") - 1
        """(target,) which conversation of the split each is of."""
        self.turns: NDArray[np.int64] = places - split.offsets[self.conversations]
        """(target,) which turn of it each is."""
        self._num_turns = np.diff(split.offsets)
        self._by_turns = np.argsort(self._num_turns, kind="stable")
        self._sorted_turns = self._num_turns[self._by_turns]
        self._ranks = np.argsort(self._by_turns)
        self._sources = [
            self._draw(kind, seed, int(conversation), int(turn), context_turns)
            for conversation, turn in zip(self.conversations, self.turns, strict=True)
        ]
        rows = [
            np.append(split.offsets[other] + turns, place)
            for (other, turns), place in zip(self._sources, places, strict=True)
        ]
        flat = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        self.lengths: NDArray[np.int32] = split.lengths[flat]
        self.offsets: NDArray[np.int64] = np.concatenate(
            [[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]
        )
        self.targets: NDArray[np.bool_] = np.zeros(len(flat), bool)
        self.targets[self.offsets[1:] - 1] = True

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, index: int) -> _Reply:
        other, turns = self._sources[index]
        own = self._split[int(self.conversations[index])].utterances[int(self.turns[index])]
        said = self._split[other].utterances if len(turns) else ()
        utterances = [*(said[turn] for turn in turns.tolist()), own]
        return _Reply(utterances, np.arange(len(utterances)) == len(turns))

    def _draw(
        self, kind: Kind, seed: int, conversation: int, turn: int, context_turns: int
    ) -> tuple[int, NDArray[np.int64]]:
        """Returns a conversation, and which of its turns are said before the target."""
        kept = np.arange(max(0, turn - context_turns), turn)
        if kind == "kept" or not len(kept):
            return conversation, kept
        if kind == "none":
            return conversation, kept[:0]
        if kind == "last":
            return conversation, kept[-1:]
        random = np.random.default_rng((seed, conversation, turn))
        if kind == "shuffled":
            order = random.permutation(kept)
            while len(kept) > 1 and (order == kept).all():
                order = random.permutation(kept)
            return conversation, order
        return self._other(random, conversation, len(kept))

    def _other(
        self, random: np.random.Generator, conversation: int, count: int
    ) -> tuple[int, NDArray[np.int64]]:
        """Draws one of the other conversations that have so many turns, or else one that has most."""
        own, last = int(self._ranks[conversation]), len(self._by_turns) - 1
        first = int(np.searchsorted(self._sorted_turns, count))
        is_among = own >= first
        num_others = last + 1 - first - is_among
        if num_others > 0:
            rank = first + int(random.integers(num_others))
            rank += is_among and rank >= own
        else:
            rank = last - (own == last)
        other = int(self._by_turns[rank])
        return other, np.arange(min(count, int(self._num_turns[other])))


def measure_context_use(
    model: ReplyModel,
    split: EncodedSplit,
    ids: Sequence[str],
    kinds: Sequence[Kind] = KINDS,
    num_samples: int = 10,
    seed: int = 0,
    context_turns: int = CONTEXT_TURNS,
    max_conversations: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Sums:
    """Scores every target behind each kind of context.

    Args:
        model: to be looked at.
        split: the conversations.
        ids: of these.
        kinds: with `kept`; a split of one conversation has no `other`, which is then left out.
        num_samples: K of the bound of a latent model.
        seed: of the changes, and of z.
        context_turns: earlier turns that are looked at; fewer are scored faster.
        max_conversations: the first so many only; None for all.
        progress: is told how many targets were scored since it was last called, each once for each kind.

    Returns:
        Sums `context_nats_<kind>` and `context_tokens`, for `CONTEXT_FIGURES`; conversations that were left
        out are not among them.
    """
    count = len(ids) if max_conversations is None else min(max_conversations, len(ids))
    sums = Sums.of(ids[:count], {})
    for kind in kinds:
        if kind == "other" and len(split) < 2:
            continue
        changed = Perturbed(split, kind, seed, context_turns, max_conversations)
        costs = measure_costs(model, changed, num_samples, seed=seed, progress=progress)
        of_split = changed.conversations[costs.conversations]
        columns = {f"context_nats_{kind}": costs.columns["nats"]}
        if "context_tokens" not in sums.columns:
            columns["context_tokens"] = costs.columns["tokens"]
        sums = sums.join(Sums.over(sums.ids, of_split, columns))
    return sums


def _rise(kind: Kind) -> Figure:
    return Figure(
        f"rise_{kind}",
        (f"context_nats_{kind}", "context_nats_kept", "context_tokens"),
        lambda totals: (totals[..., 0] - totals[..., 1]) / totals[..., 2],
        lower_is_better=None,
    )


CONTEXT_FIGURES: tuple[Figure, ...] = tuple(_rise(kind) for kind in KINDS if kind != "kept")
"""By how many nats a token the loss rises, for each kind."""
