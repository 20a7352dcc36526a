"""Reranking: of many replies to one context, which is the best by more than its own probability?

Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models": the maximum mutual
information of context and reply, against the dull replies that are probable after anything. Candidates come
from the Replier, sampled or of a beam; here each gets its scores, and they are put in order by their totals:

| ranker | total, in nats | paper |
|---|---|---|
| `AntiLanguageModel` | log p(T given S) - lambda U(T) + gamma N | sections 4.3.1 and 4.5.1, MMI-antiLM |
| `BackwardModel` | log p(T given S) + lambda log p(S given T) + gamma N | sections 4.3.2 and 4.5.2, MMI-bidi |
| `LatentDraws` | (1 - lambda) log p(T given S, z) + lambda log p(T given S) + gamma N | ours, for a latent model |

| paper | here |
|---|---|
| S, T, N | the last turn (for the model all before, too), the reply, its tokens (the end token counts) |
| lambda | `weight`; 0 ranks by the reply's own log-probability |
| U(T) = sum over k of g(k) log p(t_k given t_1 .. t_{k-1}) | `anti_lm` |
| gamma of g: g(k) = 1 for the first gamma tokens, else 0 | `anti_tokens`; 0 counts all tokens |
| gamma of the length | `length_weight`, nats a token |

`LatentDraws` is best of n latents. Each candidate comes from a z of its own; what it is worth whatever the z
is log p(T given S), estimated by the mean of p(T given S, z) over the n draws (its own among them).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.distributions import Normal, kl_divergence

from dialog.conversation import Conversation
from dialog.decoding.reading import joined_texts
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Reply
from dialog.errors import UsageError
from dialog.models.base import ReplyModel
from dialog.run_folder import Run
from dialog.text.batches import EOS, PAD, Utterances, Window, collate, utterances_of
from dialog.text.tokenizer import Tokenizer

__all__ = ["AntiLanguageModel", "BackwardModel", "LatentDraws", "Ranker"]


class Ranker(ABC):
    """Puts the candidates for one reply in order.

    Args:
        weight: lambda, how much its own score counts; 0 or more.
        length_weight: nats that each token adds, for totals of log-probabilities favour short replies.

    Raises:
        UsageError: a value is out of range.
    """

    def __init__(self, weight: float, length_weight: float = 0.0) -> None:
        if not 0.0 <= weight < math.inf:
            raise UsageError(f"the reranking weight is {weight}, but must be 0 (by log-probability) or more")
        if not math.isfinite(length_weight):
            raise UsageError(f"length_weight is {length_weight}, but must be a number of nats a token")
        self._weight, self._length_weight = weight, length_weight

    def rerank(self, conversation: Conversation, candidates: Sequence[Reply]) -> list[Reply]:
        """Returns the candidates, the best first; of equal totals the earlier first.

        Args:
            conversation: that all of them answer.
            candidates: of one model, each ended by itself or by its length.

        Returns:
            The same replies with further `scores`: `per_token` (log-probability), those of the ranker,
            `z` (the number of its draw, from 0, for a latent model), and `total`, what they are ordered by.
        """
        if not candidates:
            return []
        ranked = []
        for one, own in zip(candidates, self.score(conversation, candidates), strict=True):
            per_token = {"per_token": one.log_probability / len(one.tokens)}
            number = {} if one.latent is None else {"z": float(one.index)}
            total = self.combine(one, own) + self._length_weight * len(one.tokens)
            ranked.append(replace(one, scores={**one.scores, **per_token, **own, **number, "total": total}))
        return sorted(ranked, key=lambda one: -one.scores["total"])

    @abstractmethod
    def score(self, conversation: Conversation, candidates: Sequence[Reply]) -> list[dict[str, float]]:
        """Returns the ranker's own scores of each candidate, in nats by name."""

    @abstractmethod
    def combine(self, candidate: Reply, scores: dict[str, float]) -> float:
        """Returns a candidate's total without the length term, in nats."""


class AntiLanguageModel(Ranker):
    """Against what is probable whatever was said: MMI-antiLM.

    Args:
        model: `lm`, in evaluation mode, of the replies' vocabulary.
        weight: lambda.
        anti_tokens: the first tokens that U counts (the paper's threshold: what comes later depends on the
            reply's own beginning more than on S, and to punish it costs grammar); 0 counts all.
        length_weight: nats a token.
    """

    def __init__(
        self, model: ReplyModel, weight: float = 0.5, anti_tokens: int = 0, length_weight: float = 0.0
    ) -> None:
        super().__init__(weight, length_weight)
        if anti_tokens < 0:
            raise UsageError(f"anti_tokens is {anti_tokens}, but must be 0 (all tokens) or more")
        self._model, self._anti_tokens = model.eval(), anti_tokens

    @staticmethod
    def from_run(
        run: Run, vocabulary: Tokenizer, weight: float = 0.5, anti_tokens: int = 0, length_weight: float = 0.0
    ) -> "AntiLanguageModel":
        """Makes it of a run folder.

        Raises:
            UsageError: it is no language model, or of another vocabulary than `vocabulary`.
        """
        if run.name != "lm" or run.direction != "forward":
            raise UsageError(
                f"{run.folder} is a {run.direction} {run.name}, but what replies are ranked against is a "
                "language model; train one with --model lm"
            )
        _check_vocabulary(run, vocabulary)
        return AntiLanguageModel(run.model, weight, anti_tokens, length_weight)

    @torch.inference_mode()
    def score(self, conversation: Conversation, candidates: Sequence[Reply]) -> list[dict[str, float]]:
        """Returns `anti_lm`, U(T)."""
        state = self._model.plan(self._model.start(len(candidates)), _unread_generators(candidates))
        scores = self._model.score(state, _rows(candidates, self._model)).double()
        counted = scores[:, : self._anti_tokens] if self._anti_tokens else scores
        return [{"anti_lm": value} for value in counted.sum(1).tolist()]

    def combine(self, candidate: Reply, scores: dict[str, float]) -> float:
        """Returns log p(T|S) - lambda U(T)."""
        return candidate.log_probability - self._weight * scores["anti_lm"]


class BackwardModel(Ranker):
    """For replies from which the turn before can be guessed: MMI-bidi.

    Args:
        model: trained with `direction=backward`, in evaluation mode, without a latent variable.
        tokenizer: the replies' own, and the model's.
        weight: lambda.
        length_weight: nats a token.
    """

    def __init__(
        self, model: ReplyModel, tokenizer: Tokenizer, weight: float = 0.5, length_weight: float = 0.0
    ) -> None:
        super().__init__(weight, length_weight)
        self._model, self._tokenizer = model.eval(), tokenizer

    @staticmethod
    def from_run(
        run: Run, vocabulary: Tokenizer, weight: float = 0.5, length_weight: float = 0.0
    ) -> "BackwardModel":
        """Makes it of a run folder.

        Raises:
            UsageError: it was not trained backwards, gives no exact probability, reads nothing, or is of
                another vocabulary than `vocabulary`.
        """
        if run.direction != "backward":
            raise UsageError(
                f"{run.folder} was trained forward, but ranking by the turn before takes a model that was "
                "trained with --set direction=backward"
            )
        if run.model.is_latent or run.name == "lm":
            reason = "reads no reply" if run.name == "lm" else "knows p(S|T) only up to its z"
            raise UsageError(
                f"{run.folder} is a {run.name}, which {reason}; train a seq2seq or hred with "
                "--set direction=backward"
            )
        _check_vocabulary(run, vocabulary)
        return BackwardModel(run.model, run.tokenizer, weight, length_weight)

    @torch.inference_mode()
    def score(self, conversation: Conversation, candidates: Sequence[Reply]) -> list[dict[str, float]]:
        """Returns `backward`, log p(S|T): of the last turn, when the reply's text was read."""
        model = self._model
        device = next(model.parameters()).device
        read = utterances_of(self._tokenizer.encode_all([one.text for one in candidates])).to(device)
        guessed = self._tokenizer.encode(joined_texts(conversation)[-1])
        state = model.plan(model.observe(model.start(len(read)), read), _unread_generators(candidates))
        scores = model.score(state, utterances_of([guessed] * len(read)).to(device)).double()
        return [{"backward": value} for value in scores.sum(1).tolist()]

    def combine(self, candidate: Reply, scores: dict[str, float]) -> float:
        """Returns log p(T|S) + lambda log p(S|T)."""
        return candidate.log_probability + self._weight * scores["backward"]


class LatentDraws(Ranker):
    """Best of n latents: the reply that is most probable over all z that were drawn, not only its own.

    Args:
        replier: that the candidates come from.
        weight: lambda; 1 ranks by log p(T|S), 0 by log p(T|S, z) of each reply's own z.
        length_weight: nats a token.

    Raises:
        UsageError: its model has no latent variable.
    """

    def __init__(self, replier: Replier, weight: float = 1.0, length_weight: float = 0.0) -> None:
        super().__init__(weight, length_weight)
        if not replier.model.is_latent:
            raise UsageError(
                f"{type(replier.model).__name__} has no latent variable, so there are no draws to choose from; "
                "take a vhred, or rerank by a language model or a backward model"
            )
        self._replier = replier

    @torch.inference_mode()
    def score(self, conversation: Conversation, candidates: Sequence[Reply]) -> list[dict[str, float]]:
        """Returns `marginal`, the estimate of log p(T|S), and `kl`, of q(z|S,T) from p(z|S)."""
        model = self._replier.model
        reading = self._replier.open(conversation)
        self._replier.reader.read_all([reading])
        context = reading.state.select([0] * len(candidates))
        replies = _rows(candidates, model)
        nats = []
        for draw in candidates:  # one z at a time: memory for n replies, not n * n
            latents = torch.tensor([draw.latent] * len(candidates), device=replies.tokens.device)
            state = model.plan(context, _unread_generators(candidates), latents)
            nats.append(model.score(state, replies).double().sum(1))
        marginal = torch.stack(nats).logsumexp(0) - math.log(len(candidates))
        batch = collate([Window([_words(one)], np.array([True])) for one in candidates])
        gaussians = model.describe_latents(batch.to(replies.tokens.device), context)
        kl = kl_divergence(
            Normal(gaussians.posterior_loc, gaussians.posterior_scale),
            Normal(gaussians.prior_loc, gaussians.prior_scale),
        ).sum(1)
        return [
            {"marginal": one, "kl": other} for one, other in zip(marginal.tolist(), kl.tolist(), strict=True)
        ]

    def combine(self, candidate: Reply, scores: dict[str, float]) -> float:
        """Returns (1 - lambda) log p(T|S, z) + lambda log p(T|S)."""
        return (1 - self._weight) * candidate.log_probability + self._weight * scores["marginal"]


def _check_vocabulary(run: Run, vocabulary: Tokenizer) -> None:
    if run.tokenizer.hash != vocabulary.hash:
        raise UsageError(
            f"{run.folder} has another vocabulary than the model that replies; train both on the same prepared "
            "corpus, or prepare the logs with --tokenizer-from the other"
        )


def _words(reply: Reply) -> NDArray[np.int32]:
    return np.array([token for token in reply.tokens if token != EOS], dtype=np.int32)


def _rows(replies: Sequence[Reply], model: ReplyModel) -> Utterances:
    """Lays replies out as they were decoded: one that was cut at its length has no end token."""
    whole = utterances_of([_words(one) for one in replies])
    lengths = torch.tensor([len(one.tokens) for one in replies])
    longest = int(lengths.max())
    is_real = torch.arange(longest) < lengths[:, None]
    tokens = whole.tokens[:, :longest].masked_fill(~is_real, PAD)
    return Utterances(tokens, lengths).to(next(model.parameters()).device)


def _unread_generators(replies: Sequence[Reply]) -> list[torch.Generator]:
    """`plan` asks for one a reply; where z is given, or there is none, nothing is drawn."""
    return [torch.Generator()] * len(replies)
