"""From logits to the next token: penalties and blocks, temperature, top-k, top-p, min-p, then one draw.

Fan et al. 2018, "Hierarchical Neural Story Generation" (top-k); Holtzman et al. 2020, "The Curious Case of
Neural Text Degeneration" (top-p); Nguyen et al. 2024, "Turning Up the Heat: Min-p Sampling" (min-p). They are
applied in this order; top-p counts the probability within the top k. Control tokens are never chosen, and a
reply never ends before its first token, for no utterance that models are trained on is empty.

Every row has settings of its own. A draw inverts the distribution function over the kept tokens in the
order of their ids, so that two tokens of nearly the same probability may change ranks unseen.

No filter sorts the vocabulary where a look at the probable tokens suffices: a row's weights are
exp((logit - highest) / temperature), at most 1, and those above a small floor hold all that most filters
keep. Which way a row goes follows from the row alone, so that batch-mates change nothing.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dialog.decoding.history import blocked_tokens
from dialog.decoding.replies import Sampling
from dialog.text.batches import BOS, EOS, PAD, UNK

__all__ = [
    "Chosen",
    "History",
    "SamplingRows",
    "adjust",
    "kept_of_row",
    "next_token",
    "next_tokens",
    "reply_generator",
]

_CONTROLS = [PAD, UNK, BOS]
_FLOORS = (1e-3, 2e-4, 2e-5, 0.0)
"""Of the weights that filters look at, one after another, until they hold all that is kept."""
_FEW_CANDIDATES = 256
"""Rows with more are sorted apart, so that one of them does not widen all."""


def reply_generator(seed: int, index: int) -> torch.Generator:
    """Returns the generator (on the CPU) of reply `index` of `seed`; other replies never draw from it."""
    digest = hashlib.sha256(f"{seed}/{index}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@dataclass(slots=True)
class History:
    """What the choice of a reply's next token depends on, beside the logits.

    Attributes:
        sampling: the reply's settings.
        draws: (max_tokens,) float64 uniform in [0, 1), one a token, from the reply's own generator.
        tokens: chosen so far.
    """

    sampling: Sampling
    draws: NDArray[np.float64]
    tokens: list[int] = field(default_factory=list)

    @staticmethod
    def of(sampling: Sampling, generator: torch.Generator) -> "History":
        """Draws all that a reply needs; a reply that ends early leaves the rest unread."""
        if sampling.method != "sample":
            return History(sampling, np.zeros(0))
        return History(
            sampling, torch.rand(sampling.max_tokens, generator=generator, dtype=torch.float64).numpy()
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """The next tokens of some replies.

    Attributes:
        tokens: ids.
        log_probabilities: nats under the model.
        filtered: nats under what was drawn from; 0 where nothing was drawn.
    """

    tokens: list[int]
    log_probabilities: list[float]
    filtered: list[float]


@dataclass(frozen=True, slots=True)
class SamplingRows:
    """The settings of a batch's rows, a tensor (row,) each, made anew when rows join or leave."""

    histories: Sequence[History]
    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    min_p: Tensor
    greedy: Tensor
    drawn: Tensor

    @staticmethod
    def of(histories: Sequence[History], device: torch.device) -> "SamplingRows":
        """Collects the settings of `histories`."""
        asked = [history.sampling for history in histories]
        is_greedy = [sampling.method == "greedy" for sampling in asked]

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64, device=device)

        return SamplingRows(
            histories,
            column([sampling.temperature for sampling in asked]).float(),
            column([sampling.top_k or math.inf for sampling in asked]),
            column([sampling.top_p if sampling.top_p < 1.0 else math.inf for sampling in asked]),
            column([sampling.min_p for sampling in asked]),
            torch.tensor([row for row, yes in enumerate(is_greedy) if yes], dtype=torch.int64, device=device),
            torch.tensor(
                [row for row, yes in enumerate(is_greedy) if not yes], dtype=torch.int64, device=device
            ),
        )

    def select(self, rows: Tensor) -> "SamplingRows":
        """Returns some rows, for filters; who is greedy is left out."""
        chosen = (self.temperature[rows], self.top_k[rows], self.top_p[rows], self.min_p[rows])
        none = rows[:0]
        return SamplingRows([self.histories[row] for row in rows.tolist()], *chosen, none, none)


def adjust(logits: Tensor, histories: Sequence[History]) -> Tensor:
    """Returns a copy of `logits` (row, vocabulary), -inf where a reply's beginning forbids a token.

    Control tokens are forbidden everywhere, the end before `min_tokens`, and what would repeat an n-gram;
    tokens that the reply holds are made dearer by the repetition penalty. Where nothing is left the reply ends.
    """
    logits = logits.clone()
    logits[:, _CONTROLS] = -math.inf
    rows, tokens = [], []
    for row, history in enumerate(histories):
        asked = history.sampling
        if asked.repetition_penalty != 1.0 and history.tokens:
            held = torch.tensor(sorted(set(history.tokens)), device=logits.device)
            logits[row, held] = _penalised(logits[row, held], asked.repetition_penalty)
        forbidden = _forbidden(history)
        rows += [row] * len(forbidden)
        tokens += forbidden
    if rows:
        logits[rows, tokens] = -math.inf
    blocking = [row for row, history in enumerate(histories) if history.sampling.no_repeat_ngram]
    if blocking:
        stuck = torch.tensor(blocking, device=logits.device)
        stuck = stuck[torch.isinf(logits[stuck].amax(1))]
        logits[stuck, EOS] = 0.0
    return logits


def _forbidden(history: History) -> list[int]:
    asked, tokens = history.sampling, history.tokens
    ending = [EOS] if len(tokens) < asked.min_tokens else []
    if not asked.no_repeat_ngram:
        return ending
    return ending + blocked_tokens(tokens, asked.no_repeat_ngram)


def _penalised(logits: Tensor, penalty: float) -> Tensor:
    return torch.where(logits > 0, logits / penalty, logits * penalty)


def next_tokens(logits: Tensor, rows: SamplingRows, each: bool | None = None) -> Chosen:
    """Chooses the next token of each row.

    Args:
        logits: (row, vocabulary), of the model.
        rows: the rows' settings and what they hold so far; one draw of each is used.
        each: whether the probable tokens of a row are filtered by themselves, in NumPy, which is the faster way on
            the CPU, or all rows' together, in torch; None for what suits the device.
    """
    draw = _draw_each if (logits.device.type == "cpu" if each is None else each) else _draw_together
    adjusted = adjust(logits, rows.histories)
    count = len(logits)
    tokens = torch.zeros(count, dtype=torch.int64, device=logits.device)
    filtered = torch.zeros(count, dtype=torch.float64, device=logits.device)
    if len(rows.greedy):
        tokens[rows.greedy] = adjusted[rows.greedy].argmax(dim=1)
    if len(rows.drawn) == count:
        tokens, filtered = draw(adjusted, rows, _next_draws(rows, logits.device))
    elif len(rows.drawn):
        some, draws = rows.select(rows.drawn), _next_draws(rows, logits.device)[rows.drawn]
        tokens[rows.drawn], filtered[rows.drawn] = draw(adjusted[rows.drawn], some, draws)
    highest = logits.amax(1, keepdim=True)
    wanted = (logits.gather(1, tokens[:, None]) - highest)[:, 0]
    normaliser = (logits - highest).exp_().sum(1).log()
    return Chosen(tokens.tolist(), (wanted - normaliser).tolist(), filtered.tolist())


def _next_draws(rows: SamplingRows, device: torch.device) -> Tensor:
    draws = [
        history.draws[len(history.tokens)] if history.sampling.method == "sample" else 0.0
        for history in rows.histories
    ]
    return torch.tensor(draws, dtype=torch.float64, device=device)


def _draw_each(logits: Tensor, rows: SamplingRows, draws: Tensor) -> tuple[Tensor, Tensor]:
    """As `_draw_together`; what all rows need of the whole vocabulary is computed for all."""
    weights = _weights(logits, rows)
    drawn = [
        _draw_one(own, total, history.sampling, draw)
        for own, total, history, draw in zip(
            weights.numpy(), weights.sum(1).tolist(), rows.histories, draws.tolist(), strict=True
        )
    ]
    tokens, shares = zip(*drawn, strict=True)
    return torch.tensor(tokens), torch.tensor(shares, dtype=torch.float64)


def _weights(logits: Tensor, rows: SamplingRows) -> Tensor:
    return logits.sub_(logits.amax(1, keepdim=True)).div_(rows.temperature[:, None]).exp_()


def _draw_together(logits: Tensor, rows: SamplingRows, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the drawn tokens (row,) and their log-probabilities under the filtered distribution."""
    weights = _weights(logits, rows)
    totals = weights.sum(1).double()
    tokens, shares = (
        torch.empty(len(weights), dtype=torch.int64, device=logits.device),
        torch.empty_like(totals),
    )
    filtered = torch.isfinite(rows.top_k) | torch.isfinite(rows.top_p) | (rows.min_p > 0)
    everything = torch.nonzero(~filtered)[:, 0]
    if len(everything):
        tokens[everything], shares[everything] = _invert(None, weights[everything], draws[everything])
    left = torch.nonzero(filtered)[:, 0]
    for floor in _FLOORS:
        if not len(left):
            break
        own = rows.select(left)
        some = weights if len(left) == len(weights) else weights[left]
        candidates = _candidates(some, _floors(own, floor))
        covered = _covered(own, candidates, totals[left], floor)
        few = candidates.counts <= _FEW_CANDIDATES
        for group in (covered & few, covered & ~few):  # padded to alike widths
            places = torch.nonzero(group)[:, 0]
            if len(places):
                ids, values = candidates.padded(places)
                at = left[places]
                values = values * _kept(values, totals[at], rows.select(at))
                tokens[at], shares[at] = _invert(ids, values, draws[at])
        left = left[~covered]
    return tokens, shares


def _floors(rows: SamplingRows, floor: float) -> Tensor:
    """Weights below it are kept by no filter, or by none where a row is `_covered`; (row,) float32."""
    both = torch.isfinite(rows.top_k) & torch.isfinite(rows.top_p)  # top-p needs the weight of all top k
    return torch.where(both, floor, rows.min_p.clamp(min=floor)).float()


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Tokens above the floor: of all rows, one row after another, in the order of their ids."""

    row: Tensor
    token: Tensor
    weight: Tensor
    counts: Tensor  # (row,)

    def padded(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Returns ids and weights of some rows, (row, candidate) each, 0 behind a row's last."""
        number = torch.full_like(self.counts, -1)
        number[rows] = torch.arange(len(rows), device=rows.device)
        row = number[self.row]
        row, token, weight = row[row >= 0], self.token[row >= 0], self.weight[row >= 0]
        counts = self.counts[rows]
        place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
        shape = len(rows), int(counts.max())
        tokens, weights = token.new_zeros(shape), weight.new_zeros(shape)
        tokens[row, place] = token
        weights[row, place] = weight
        return tokens, weights


def _candidates(weights: Tensor, floors: Tensor) -> _Candidates:
    row, token = torch.nonzero(weights >= floors[:, None], as_tuple=True)
    return _Candidates(row, token, weights[row, token].double(), torch.bincount(row, minlength=len(weights)))


def _covered(rows: SamplingRows, candidates: _Candidates, totals: Tensor, floor: float) -> Tensor:
    """Whether the weights above the floor hold all that a row keeps."""
    if floor == 0.0:
        return torch.ones_like(totals, dtype=torch.bool)
    has_top_k, has_top_p = torch.isfinite(rows.top_k), torch.isfinite(rows.top_p)
    masses = torch.zeros_like(totals).index_add_(0, candidates.row, candidates.weight)
    by_min_p = (rows.min_p >= floor) & ~(has_top_k & has_top_p)
    by_top_p = ~has_top_k & has_top_p & (masses >= rows.top_p * totals)
    return by_min_p | by_top_p | (has_top_k & (candidates.counts >= rows.top_k))


def _invert(tokens: Tensor | None, weights: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Draws a candidate of each row.

    Args:
        tokens: (row, candidate), ids, rising; None for all tokens.
        weights: (row, candidate), 0 where a candidate is not kept.
        draws: (row,) in [0, 1).
    """
    cumulative = weights.cumsum(1, dtype=torch.float64)
    reached = cumulative[:, -1:].contiguous()
    places = torch.searchsorted(cumulative, draws[:, None] * reached, right=True)
    # A draw that rounding put behind the last kept token: that token is where the sum is first reached.
    places = torch.minimum(places, torch.searchsorted(cumulative, reached))
    shares = (weights.gather(1, places) / reached).log()[:, 0]
    return (places if tokens is None else tokens.gather(1, places))[:, 0], shares


def _kept(weights: Tensor, totals: Tensor, rows: SamplingRows) -> Tensor:
    """Returns the mask (row, candidate) of what top-k, top-p and min-p keep."""
    values, order = weights.sort(dim=1, descending=True, stable=True)
    ranks = torch.arange(values.shape[1], device=values.device)
    kept = (ranks < rows.top_k[:, None]) & (values > 0)
    has_top_k = torch.isfinite(rows.top_k)
    masses = torch.where(has_top_k, (values * kept).sum(1), totals)
    before = values.cumsum(1) - values  # what came before had not reached it
    kept &= before < (rows.top_p * masses)[:, None]
    kept &= values.float() >= rows.min_p.float()[:, None]
    return torch.zeros_like(kept).scatter(1, order, kept)


def next_token(logits: NDArray[np.float32], history: History) -> tuple[int, float, float]:
    """Chooses the next token of a reply alone: `next_tokens` for one row, without torch's cost a call.

    Args:
        logits: (vocabulary,), of the model; overwritten.
        history: the reply's settings and what it holds so far; one draw is used.

    Returns:
        The token, and its nats under the model and under what was drawn from.
    """
    asked, highest = history.sampling, logits.max()
    adjusted = logits - highest
    normaliser = float(highest) + math.log(float(np.exp(adjusted).sum()))
    if asked.repetition_penalty != 1.0 and history.tokens:
        held = sorted(set(history.tokens))
        some = logits[held]
        adjusted[held] = np.where(some > 0, some / asked.repetition_penalty, some * asked.repetition_penalty)
        adjusted[held] -= highest
    adjusted[[*_CONTROLS, *_forbidden(history)]] = -math.inf
    if asked.no_repeat_ngram and np.isneginf(adjusted.max()):
        adjusted[EOS] = 0.0
    if asked.method == "greedy":
        token, share = int(adjusted.argmax()), 0.0
    else:
        adjusted -= adjusted.max()
        if asked.temperature != 1.0:
            adjusted /= np.float32(asked.temperature)
        weights = np.exp(adjusted, out=adjusted)
        draw = float(history.draws[len(history.tokens)])
        token, share = _draw_one(weights, float(weights.sum()), asked, draw)
    return token, float(logits[token]) - normaliser, share


def _draw_one(weights: NDArray[np.float32], total: float, asked: Sampling, draw: float) -> tuple[int, float]:
    """`_draw_together` for the weights of one row, and their sum."""
    both = bool(asked.top_k) and asked.top_p < 1.0
    floor = _FLOORS[0] if both else max(asked.min_p, _FLOORS[0])
    tokens = np.flatnonzero(weights >= np.float32(floor))
    values = weights[tokens].astype(np.float64)
    by_min_p = asked.min_p >= _FLOORS[0] and not both
    by_top_p = not asked.top_k and asked.top_p < 1.0 and float(values.sum()) >= asked.top_p * total
    if not (by_min_p or by_top_p or 0 < asked.top_k <= len(tokens)):
        tokens = np.flatnonzero(weights)
        values = weights[tokens].astype(np.float64)
    kept = kept_of_row(values, total, asked)
    if kept is not None:
        tokens, values = tokens[kept], values[kept]
    cumulative = values.cumsum()
    place = min(int(cumulative.searchsorted(draw * cumulative[-1], side="right")), len(values) - 1)
    return int(tokens[place]), math.log(values[place] / cumulative[-1])


def kept_of_row(values: NDArray[np.float64], total: float, asked: Sampling) -> NDArray[np.bool_] | None:
    """Returns the mask of what top-k, top-p and min-p keep of the weights of one row; None where all stays.

    Args:
        values: the weights, exp((logit - highest) / temperature), of all tokens or of the probable ones.
        total: the sum over all tokens.
        asked: the row's settings.
    """
    count = len(values)
    if asked.top_k or asked.top_p < 1.0:
        ranked = np.sort(values)[::-1]
        if 0 < asked.top_k < count:
            count = asked.top_k
            total = float(ranked[:count].sum())
        elif asked.top_k:
            total = float(ranked.sum())
        if asked.top_p < 1.0:  # a token stays where those before it have not reached p
            reached = int(ranked[:count].cumsum().searchsorted(asked.top_p * total, side="left"))
            count = min(reached + 1, count)
        if asked.min_p > 0.0:
            count = min(count, int((ranked >= np.float32(asked.min_p)).sum()))
        return _largest(values, ranked, count)
    return values >= np.float32(asked.min_p) if asked.min_p > 0.0 else None


def _largest(values: NDArray[np.float64], ranked: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Returns the mask of the `count` largest values; of equal ones the first."""
    kept: NDArray[np.bool_] = values >= ranked[count - 1]
    surplus = int(kept.sum()) - count
    if surplus:
        kept[np.flatnonzero(values == ranked[count - 1])[-surplus:]] = False
    return kept
