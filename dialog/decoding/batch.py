"""The one decoding loop: replies under way, a step at a time; they join and leave at any token.

A reply's tokens depend on its own state, settings and draws alone, so it is the same whatever stands beside
it. A reply that is alone in the batch, on the CPU, is decoded by `single_row`, which is faster for one row.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from dialog.decoding.beam import BeamSearch
from dialog.decoding.draft import Draft, Probable, most_probable
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import History, SamplingRows, next_token, next_tokens
from dialog.decoding.single_row import SingleRow, SingleRowWeights
from dialog.models.base import DecoderState, ReplyModel
from dialog.text.batches import BOS

__all__ = ["DecodingBatch", "rows_of"]

_MOST_IDLE = 1 / 8
"""Share of the rows whose replies have ended that are carried along."""
_IDLE = History(Sampling("greedy", max_tokens=1), np.zeros(1))


def rows_of(sampling: Sampling) -> int:
    """Returns the rows that a reply is decoded in."""
    return sampling.beam_size if sampling.method == "beam" else 1


class _Search:
    """A beam search under way, in as many rows as it has hypotheses, one behind the other.

    Without a latent variable all replies to one context share a search: reply i is the i-th best that it
    finds. With one, each reply has a z of its own and is the best for it.
    """

    def __init__(self, drafts: list[Draft]) -> None:
        self.drafts = drafts
        self.beam = BeamSearch(drafts[0].sampling)

    def takes(self, draft: Draft) -> bool:
        """Whether a further reply is found by the same search."""
        first = self.drafts[0]
        return (draft.latent, draft.context_hash, draft.sampling) == (
            None,
            first.context_hash,
            first.sampling,
        )

    def close(self, drafts: Sequence[Draft]) -> None:
        """Gives replies what was found for them; the last again, where less was found than asked for."""
        found = self.beam.finish()
        for draft in drafts:
            one = found[min(draft.index if draft.latent is None else 0, len(found) - 1)]
            draft.history.tokens[:] = one.tokens
            draft.log_probability, draft.ended = one.log_probability, one.ended
            draft.scores["beam"] = one.score


class DecodingBatch:
    """Replies of one model that are decoded together.

    Rows of replies that have ended stay until there are many of them, or until others join, for each
    change of the rows copies the whole state.

    Args:
        model: in evaluation mode.
        alone: gives what decodes a reply that is alone, or None; asked when first there is one. Without it
            the model does.
    """

    def __init__(
        self, model: ReplyModel, alone: Callable[[], SingleRowWeights | None] = lambda: None
    ) -> None:
        self._model, self._alone_weights = model, alone
        self._rows: list[Draft | _Search | None] = []  # None is a row whose reply has ended
        self._tokens: torch.Tensor | None = None  # (row,), what each row reads next
        self._state: DecoderState | None = None
        self._settings: SamplingRows | None = None
        self._traced: list[tuple[int, int]] = []  # rows whose most probable tokens are noted, and how many
        self._alone: SingleRow | None = None

    def __len__(self) -> int:
        """How many rows are decoded."""
        return sum(row is not None for row in self._rows)

    @torch.inference_mode()
    def join(self, drafts: Sequence[Draft], state: DecoderState, first: int = BOS) -> None:
        """Takes replies in, with their planned states, a row each; a beam search then has several.

        Args:
            drafts: not begun.
            state: a row for each.
            first: the token that each reads first; the last of a prompt, where `state` has read the tokens
                before it.
        """
        rows: list[Draft | _Search | None] = []
        origins: list[int] = []
        for place, draft in enumerate(drafts):
            last = rows[-1] if rows else None
            if draft.sampling.method != "beam":
                rows.append(draft)
                origins.append(place)
            elif isinstance(last, _Search) and last.takes(draft):
                last.drafts.append(draft)
            else:
                search = _Search([draft])
                rows += [search] * search.beam.num_rows
                origins += [place] * search.beam.num_rows
        tokens = torch.full((len(rows),), first, device=state.device)
        state = state if origins == list(range(len(drafts))) else state.select(origins)
        self._leave_alone()
        self._compact()
        if self._state is None or self._tokens is None:
            self._state, self._tokens = state, tokens
        else:
            self._state = type(state).concat([self._state, state])
            self._tokens = torch.cat([self._tokens, tokens])
        self._rows += rows
        self._settings = None

    @torch.inference_mode()
    def leave(self, drafts: Sequence[Draft]) -> None:
        """Lets replies go that are no longer wanted: they end here, by `stop`."""
        gone = {id(draft) for draft in drafts}
        for search in self._searches():
            search.close([draft for draft in search.drafts if id(draft) in gone])
            search.drafts = [draft for draft in search.drafts if id(draft) not in gone]
            if not search.drafts:
                gone.add(id(search))
        for draft in drafts:
            draft.ended = "stop"
        self._rows = [None if id(row) in gone else row for row in self._rows]
        self._after_leaving()

    @torch.inference_mode()
    def step(self) -> list[Draft]:
        """Decodes a token of every reply; returns those that ended by it, which have left."""
        if len(self._rows) == 1 and self._go_alone():
            self._step_alone()
        else:
            self._step_together()
        ended: list[Draft] = [row for row in self._rows if isinstance(row, Draft) and row.ended]
        gone = {id(draft) for draft in ended}
        for search in self._searches():
            if search.beam.done:
                search.close(search.drafts)
                ended += search.drafts
                gone.add(id(search))
        if ended:
            self._rows = [None if id(row) in gone else row for row in self._rows]
            self._after_leaving()
        return ended

    def run(self) -> Iterator[Draft]:
        """Decodes until every reply has ended; yields each when it ends."""
        while self._rows:
            yield from self.step()

    def _step_together(self) -> None:
        assert self._state is not None and self._tokens is not None, "there is nothing to decode"
        if self._settings is None:
            histories = [row.history if isinstance(row, Draft) else _IDLE for row in self._rows]
            self._settings = SamplingRows.of(histories, self._tokens.device)
            self._traced = [
                (place, count) for place, row in enumerate(self._rows) if (count := _num_top(row))
            ]
        logits, self._state = self._model.step(self._tokens, self._state)
        chosen = next_tokens(logits, self._settings)
        self._tokens = torch.tensor(chosen.tokens, device=logits.device)
        top = self._most_probable(logits) if self._traced else {}
        for place, row in enumerate(self._rows):
            if isinstance(row, Draft):
                row.add(
                    chosen.tokens[place],
                    chosen.log_probabilities[place],
                    chosen.filtered[place],
                    top.get(place, ()),
                )
        if any(isinstance(row, _Search) for row in self._rows):
            self._advance_searches(logits)

    def _most_probable(self, logits: torch.Tensor) -> dict[int, Probable]:
        rows, counts = zip(*self._traced, strict=True)
        return dict(zip(rows, most_probable(logits[list(rows)], max(counts)), strict=True))

    def _advance_searches(self, logits: torch.Tensor) -> None:
        assert self._state is not None and self._tokens is not None
        origins = torch.arange(len(self._rows), device=logits.device)
        for search in self._searches():
            first = self._rows.index(search)
            rows = slice(first, first + search.beam.num_rows)
            self._tokens[rows], parents = search.beam.advance(logits[rows])
            origins[rows] = first + parents
        self._state = self._state.select(origins)

    def _searches(self) -> list[_Search]:
        return list({id(row): row for row in self._rows if isinstance(row, _Search)}.values())

    def _after_leaving(self) -> None:
        self._settings = None
        idle = sum(row is None for row in self._rows)
        if idle > len(self._rows) * _MOST_IDLE or len(self._rows) - idle == 1:
            self._compact()

    def _compact(self) -> None:
        """Lets go the rows whose replies have ended."""
        rows = [place for place, row in enumerate(self._rows) if row is not None]
        if len(rows) == len(self._rows):
            return
        self._rows = [self._rows[row] for row in rows]
        if not rows:
            self._state = self._tokens = self._alone = None
        elif self._state is not None and self._tokens is not None:
            self._state, self._tokens = self._state.select(rows), self._tokens[rows]

    def _go_alone(self) -> bool:
        """Whether the only row is decoded by itself from here on."""
        if self._alone is None and self._state is not None and isinstance(self._rows[0], Draft):
            weights = self._alone_weights()
            self._alone = None if weights is None else weights.begin(self._state)
        return self._alone is not None

    def _step_alone(self) -> None:
        (draft,), alone = self._rows, self._alone
        assert isinstance(draft, Draft) and alone is not None
        before = draft.tokens[-1] if draft.tokens else BOS
        logits = alone.step(before)
        count = _num_top(draft)
        top = most_probable(torch.from_numpy(logits)[None], count)[0] if count else ()
        draft.add(*next_token(logits, draft.history), top)

    def _leave_alone(self) -> None:
        """Goes back to a state of the model, for others join."""
        if self._alone is not None and self._rows:
            draft = self._rows[0]
            last = draft.tokens[-1:] if isinstance(draft, Draft) and draft.tokens else [BOS]
            self._state, self._tokens = self._alone.state(), torch.tensor(last)
        self._alone = None


def _num_top(row: Draft | _Search | None) -> int:
    """Returns how many of the most probable tokens are noted of a row."""
    return row.trace.num_top if isinstance(row, Draft) and row.trace is not None else 0
