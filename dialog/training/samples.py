"""Replies to a fixed draw of contexts of the validation split, made at each validation.

The first few are shown. All of them are measured, beside what people replied to the same contexts, for the
alarm of `training.dullness`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import CHAT_SAMPLING, Sampling
from dialog.evaluation.diversity import Diversity, measure_diversity
from dialog.models.base import ReplyModel
from dialog.text.batches import EOS
from dialog.text.loader import EncodedSplit
from dialog.text.tokenizer import Tokenizer

__all__ = ["SAMPLING", "ReplySampler", "SampledReplies"]

_CONTEXT_TURNS = 3
SAMPLING = replace(CHAT_SAMPLING, max_tokens=40)
"""As people will chat with the model; a reply that is no reply after so many tokens says enough."""
_BATCH_REPLIES = 256


@dataclass(frozen=True, slots=True)
class SampledReplies:
    """What a validation's replies are like.

    Attributes:
        shown: contexts and replies to show, plain JSON values.
        model: the figures of all sampled replies; None if there are none.
        people: the figures of what people replied to the same contexts.
    """

    shown: list[dict[str, Any]]
    model: Diversity | None
    people: Diversity | None

    def to_json(self) -> dict[str, Any]:
        """Returns what `metrics.jsonl` holds of it."""
        measured = {"replies": self.model, "people_replies": self.people}
        return {
            "samples": self.shown,
            **{name: None if figures is None else figures.to_json() for name, figures in measured.items()},
        }


class ReplySampler:
    """Draws contexts of a split once; replies to them whenever it is asked.

    Each reply has a seed of its own, the same at each call, so that replies differ by what the model
    learned and by nothing else.

    Args:
        tokenizer: the model's own.
        split: where the contexts come from; up to three turns before a reply that people gave.
        shown: how many contexts are shown with their replies.
        measured: how many are measured; 0 for none.
        seed: of the draw.
        sampling: of the replies; people's are cut at its `max_tokens`, too.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        split: EncodedSplit,
        shown: int,
        measured: int,
        seed: int = 1,
        sampling: Sampling = SAMPLING,
    ) -> None:
        self._tokenizer, self._shown, self._measured = tokenizer, shown, measured
        self._sampling = sampling
        self._contexts: list[Conversation] = []
        replies: list[list[int]] = []
        turns = np.flatnonzero(split.targets)
        random = np.random.default_rng(seed)
        for turn in random.choice(turns, min(max(shown, measured), len(turns)), replace=False).tolist():
            number = int(np.searchsorted(split.offsets, turn, side="right")) - 1
            place = turn - int(split.offsets[number])
            utterances = [tokens.tolist() for tokens in split[number].utterances[: place + 1]]
            texts = [tokenizer.decode(tokens) for tokens in utterances[-_CONTEXT_TURNS - 1 : -1]]
            if any(text.strip() for text in texts):
                told = tuple(Turn("AB"[at % 2], text) for at, text in enumerate(texts))
                self._contexts.append(Conversation(f"{number}/{place}", told))
                replies.append(utterances[-1][: sampling.max_tokens])
        self._people = self._figures(replies)

    def sample(self, model: ReplyModel) -> SampledReplies:
        """Replies to every context with `model`, which is in its mode again afterwards."""
        was_training = model.training
        replier = Replier(model, self._tokenizer, model_hash="")
        replies = []
        for start in range(0, len(self._contexts), _BATCH_REPLIES):
            contexts = self._contexts[start : start + _BATCH_REPLIES]
            seeds = range(start, start + len(contexts))
            replies += [reply for (reply,) in replier.reply_all(contexts, self._sampling, seed=seeds)]
        model.train(was_training)
        shown = [
            {"context": [turn.text for turn in context.turns], "reply": reply.text}
            for context, reply in zip(self._contexts, replies[: self._shown], strict=False)
        ]
        figures = self._figures([[token for token in reply.tokens if token != EOS] for reply in replies])
        return SampledReplies(shown, figures, self._people)

    def _figures(self, replies: Sequence[Sequence[int]]) -> Diversity | None:
        measured = replies[: self._measured]
        if not measured:
            return None
        return measure_diversity(measured, [self._tokenizer.decode(tokens) for tokens in measured])
