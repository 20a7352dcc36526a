"""Replies to a fixed draw of contexts of the validation split, made at each validation.

The first few are shown. All of them are measured, beside what people replied to the same contexts, for the
alarm of `training.dullness`.

An autoencoder answers nothing: it is given what people replied, to say it again, and what is measured is how often it
does so word for word.
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

__all__ = ["SAMPLING", "SAYING_AGAIN", "ReplySampler", "SampledReplies"]

_CONTEXT_TURNS = 3
SAMPLING = replace(CHAT_SAMPLING, max_tokens=40)
"""As people will chat with the model; a reply that is no reply after so many tokens says enough."""
SAYING_AGAIN = Sampling("greedy", max_tokens=64)
"""As `hred autoencode` says utterances again."""
_BATCH_REPLIES = 256


@dataclass(frozen=True, slots=True)
class SampledReplies:
    """What a validation's replies are like.

    Attributes:
        shown: contexts and replies to show, or utterances and how they were said again; plain JSON values.
        model: the figures of all sampled replies; None if there are none.
        people: the figures of what people replied to the same contexts.
        said_again_exactly: the share of utterances that were said again word for word; None for replies.
    """

    shown: list[dict[str, Any]]
    model: Diversity | None
    people: Diversity | None
    said_again_exactly: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns what `metrics.jsonl` holds of it."""
        measured = {"replies": self.model, "people_replies": self.people}
        return {
            "samples": self.shown,
            **{name: None if figures is None else figures.to_json() for name, figures in measured.items()},
            "said_again_exactly": self.said_again_exactly,
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
        sampling: of the replies; people's are cut at its `max_tokens`, too. None for `SAMPLING`, or
            `SAYING_AGAIN` for what is said again.
        says_again: whether the model is given what people replied, to say it again.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        split: EncodedSplit,
        shown: int,
        measured: int,
        seed: int = 1,
        sampling: Sampling | None = None,
        says_again: bool = False,
    ) -> None:
        self._tokenizer, self._shown, self._measured = tokenizer, shown, measured
        self._sampling = sampling or (SAYING_AGAIN if says_again else SAMPLING)
        self._says_again = says_again
        self._contexts: list[Conversation] = []
        replies: list[list[int]] = []
        turns = np.flatnonzero(split.targets)
        random = np.random.default_rng(seed)
        for turn in random.choice(turns, min(max(shown, measured), len(turns)), replace=False).tolist():
            number = int(np.searchsorted(split.offsets, turn, side="right")) - 1
            place = turn - int(split.offsets[number])
            utterances = [tokens.tolist() for tokens in split[number].utterances[: place + 1]]
            read = utterances[-1:] if says_again else utterances[-_CONTEXT_TURNS - 1 : -1]
            texts = [tokenizer.decode(tokens) for tokens in read]
            if any(text.strip() for text in texts):
                told = tuple(Turn("AB"[at % 2], text) for at, text in enumerate(texts))
                self._contexts.append(Conversation(f"{number}/{place}", told))
                replies.append(utterances[-1][: self._sampling.max_tokens])
        self._people = None if says_again else self._figures(replies)

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
        if self._says_again:
            return self._said_again([reply.text for reply in replies])
        shown = [
            {"context": [turn.text for turn in context.turns], "reply": reply.text}
            for context, reply in zip(self._contexts, replies[: self._shown], strict=False)
        ]
        figures = self._figures([[token for token in reply.tokens if token != EOS] for reply in replies])
        return SampledReplies(shown, figures, self._people)

    def _said_again(self, said: Sequence[str]) -> SampledReplies:
        pairs = [(context.turns[0].text, text) for context, text in zip(self._contexts, said, strict=True)]
        shown = [{"utterance": given, "said_again": text} for given, text in pairs[: self._shown]]
        measured = [given == text for given, text in pairs[: self._measured]]
        share = sum(measured) / len(measured) if measured else None
        return SampledReplies(shown, None, None, share)

    def _figures(self, replies: Sequence[Sequence[int]]) -> Diversity | None:
        measured = replies[: self._measured]
        if not measured:
            return None
        return measure_diversity(measured, [self._tokenizer.decode(tokens) for tokens in measured])
