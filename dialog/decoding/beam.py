"""Beam search for one reply, plain and in diverse groups: from next-token logits to the best hypotheses.

Sutskever et al. 2014, "Sequence to Sequence Learning with Neural Networks", section 3.2 (beam search); Wu et
al. 2016, "Google's Neural Machine Translation System", section 7 (length normalisation); Vijayakumar et al.
2018, "Diverse Beam Search for Improved Description of Complex Scenes", section 3 (groups, Hamming diversity).

| paper | here |
|---|---|
| Theta(y), the sum of log-probabilities | search sum |
| lp(Y) = ((5 + tokens) / 6) ** alpha | `length_norm` |
| s(Y) = Theta / lp | `Hypothesis.score` |
| B, G, lambda | `beam_size`, `beam_groups`, `diversity` |

What the settings mean here. The search sum adds log softmax(logits / temperature), after the repetition
penalty; with the settings' defaults it is the model's log-probability. What is forbidden (control tokens,
repeated n-grams, the end before `min_tokens`) is left out and nothing is made up for it: to renormalise what
stays would reward the hypotheses that most wanted the forbidden. Where nothing is left a hypothesis ends.
Top-k, top-p and min-p cut the tail that sampling would draw from; a beam never comes there and reads none
of them.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dialog.decoding.history import blocked_tokens
from dialog.decoding.replies import Ended, Sampling
from dialog.text.batches import BOS, EOS, PAD, UNK

__all__ = ["BeamSearch", "Hypothesis", "length_norm"]

_CONTROLS = [PAD, UNK, BOS]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A reply that the search found.

    Attributes:
        tokens: its ids, the end token included where it ended by it.
        log_probability: nats, of all its tokens under the model.
        score: the search sum divided by `length_norm`, what hypotheses are ranked by.
        ended: by the end token (`end`), at `max_tokens` (`length`), or under way when the search was left
            (`stop`).
        group: that found it, from 0.
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float
    ended: Ended
    group: int = 0


def length_norm(num_tokens: int, alpha: float) -> float:
    """Returns ((5 + tokens) / 6) ** alpha; the end token counts (Wu et al. 2016, equation 14)."""
    return float(((5 + num_tokens) / 6) ** alpha)


@dataclass(slots=True)
class _Open:
    """A hypothesis that is not ended.

    Attributes:
        total: the search sum.
        tokens: so far.
        log_probability: nats under the model.
    """

    total: float = 0.0
    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0


@dataclass(slots=True)
class _Group:
    """A beam of its own. Row `first + i` of the decoder state holds `open[i]`; further rows are idle."""

    number: int
    open: list[_Open]
    ended: list[Hypothesis] = field(default_factory=list)


class BeamSearch:
    """The search for one reply; knows no model.

    The caller holds a decoder state of `num_rows` rows, at first all copies of the planned one, and until
    `done` steps it with the last tokens (`BOS` at first), hands the logits to `advance` and selects the
    rows that come back as parents. Rows may be idle: theirs are themselves.

    At each step a group goes on with the `beam_size / beam_groups` best of all its open hypotheses'
    continuations. Those of them that end are set aside; a beam of 1 is so greedy search. Of equal sums the
    lower parent comes first, then the lower token.

    A group is done when as many have ended as it has rows and none that is open can still beat the worst
    of the best of these. For alpha >= 0 no open hypothesis can score above its sum / `length_norm(max_tokens)`:
    sums only fall, and no reply is longer. The scores of those that end are so the ones that searching on
    would give. A reply that was cut at `max_tokens` ranks behind all that ended, for it is none that the
    model gives.

    In groups each has its own beam and its own list, as in the paper. A group's candidates are ranked by
    their sums less `diversity` nats for each time that an earlier group has chosen the token at this step;
    this steers the choice and is no part of the sums. `finish` joins the lists; what two groups found
    stands there once.

    Args:
        sampling: its settings.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._width = sampling.beam_size // sampling.beam_groups
        self._groups = [_Group(number, [_Open()]) for number in range(sampling.beam_groups)]
        self._num_tokens = 0

    @property
    def num_rows(self) -> int:
        """Rows of the decoder state that the search takes, from the first step to the last."""
        return self._sampling.beam_size

    @property
    def num_tokens(self) -> int:
        """Steps so far."""
        return self._num_tokens

    @property
    def done(self) -> bool:
        """Whether nothing is open any more."""
        return not any(group.open for group in self._groups)

    def advance(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Takes a step.

        Args:
            logits: (num_rows, vocabulary), of the model, after the last tokens.

        Returns:
            The tokens (num_rows,) that are read next, and the rows (num_rows,) that each follows, int64.
        """
        tokens, parents = [EOS] * self.num_rows, list(range(self.num_rows))
        self._num_tokens += 1
        used: list[int] = []
        for group in self._groups:
            if group.open:
                first = group.number * self._width
                chosen = self._step(group, logits[first : first + len(group.open)], used)
                for place, (token, parent) in enumerate(chosen):
                    tokens[first + place], parents[first + place] = token, first + parent
        device = logits.device
        return torch.tensor(tokens, device=device), torch.tensor(parents, device=device)

    def finish(self) -> list[Hypothesis]:
        """Returns what was found, the best first, at most `beam_size`.

        Before the search is `done` the open hypotheses are there, too, behind the others.
        """
        found: dict[tuple[int, ...], Hypothesis] = {}
        for group in self._groups:
            for one in [*group.ended, *(self._close(group, one, "stop") for one in group.open)]:
                found.setdefault(one.tokens, one)
        return _ranked(found.values())[: self.num_rows]

    def _step(self, group: _Group, logits: Tensor, used: list[int]) -> list[tuple[int, int]]:
        """Steps one group.

        Args:
            group: with something open.
            logits: (open, vocabulary).
            used: the tokens that earlier groups chose at this step; this group's are added.

        Returns:
            Token and parent (a place among those open before) of what is open now.
        """
        own, search = self._log_probabilities(logits, group.open)
        totals = torch.tensor([one.total for one in group.open], dtype=torch.float64, device=logits.device)
        sums = totals[:, None] + search
        dearer = torch.bincount(torch.tensor(used, dtype=torch.int64), minlength=sums.shape[1])
        ranked = sums - self._sampling.diversity * dearer.to(sums.device) if used else sums
        places = _best(ranked.flatten(), self._width)
        kept = zip(
            (places // sums.shape[1]).tolist(),
            (places % sums.shape[1]).tolist(),
            sums.flatten()[places].tolist(),
            own.flatten()[places].tolist(),
            strict=True,
        )
        chosen, still_open = [], []
        for parent, token, total, log_probability in kept:
            before = group.open[parent]
            used.append(token)
            one = _Open(total, [*before.tokens, token], before.log_probability + log_probability)
            if token == EOS:
                group.ended.append(self._close(group, one, "end"))
            elif self._num_tokens == self._sampling.max_tokens:
                group.ended.append(self._close(group, one, "length"))
            else:
                still_open.append(one)
                chosen.append((token, parent))
        group.ended = _ranked(group.ended)[: self._width]
        group.open = still_open if self._may_improve(group, still_open) else []
        return chosen if group.open else []

    def _may_improve(self, group: _Group, still_open: Sequence[_Open]) -> bool:
        """Whether an open hypothesis can come among the group's best."""
        if len(group.ended) < self._width:
            return True
        highest = max((one.total for one in still_open), default=-math.inf)
        bound = highest / length_norm(self._sampling.max_tokens, self._sampling.length_penalty)
        return bound > group.ended[-1].score

    def _close(self, group: _Group, one: _Open, ended: Ended) -> Hypothesis:
        score = one.total / length_norm(len(one.tokens), self._sampling.length_penalty)
        return Hypothesis(tuple(one.tokens), one.log_probability, score, ended, group.number)

    def _log_probabilities(self, logits: Tensor, rows: Sequence[_Open]) -> tuple[Tensor, Tensor]:
        """Returns (open, vocabulary) float64: nats under the model, and what the search adds up."""
        asked = self._sampling
        own = logits.double().log_softmax(1)
        search = own
        if asked.repetition_penalty != 1.0 or asked.temperature != 1.0:
            search = self._dearer(logits.double(), rows).div_(asked.temperature).log_softmax(1)
        allowed = search.clone()
        allowed[:, _CONTROLS] = -math.inf
        for row, one in enumerate(rows):
            forbidden = blocked_tokens(one.tokens, asked.no_repeat_ngram)
            if len(one.tokens) < asked.min_tokens:
                forbidden.append(EOS)
            allowed[row, forbidden] = -math.inf
        stuck = torch.isinf(allowed.amax(1))
        allowed[stuck, EOS] = search[stuck, EOS]
        return own, allowed

    def _dearer(self, logits: Tensor, rows: Sequence[_Open]) -> Tensor:
        """Returns a copy in which the tokens that a hypothesis holds bear the repetition penalty."""
        logits, penalty = logits.clone(), self._sampling.repetition_penalty
        for row, one in enumerate(rows):
            held = sorted(set(one.tokens))
            some = logits[row, held]
            logits[row, held] = torch.where(some > 0, some / penalty, some * penalty)
        return logits


def _best(values: Tensor, count: int) -> Tensor:
    """Returns the places of the `count` largest finite values, falling; of equal ones the lowest first."""
    least = values.topk(min(count, len(values))).values[-1]
    places = torch.nonzero((values >= least) & torch.isfinite(values))[:, 0]  # rising, so that ties are
    return places[values[places].sort(descending=True, stable=True).indices[:count]]


def _ranked(hypotheses: Iterable[Hypothesis]) -> list[Hypothesis]:
    """Sorts the best first: those that ended, then those cut at `max_tokens`, then those under way."""
    places = {"end": 0, "length": 1, "stop": 2}
    return sorted(hypotheses, key=lambda one: (places[one.ended], -one.score))
