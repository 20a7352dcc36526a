"""What a comparison does, as settings, and the hash of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dialog.errors import UsageError
from dialog.evaluation.bootstrap import NUM_DRAWS
from dialog.evaluation.comparison.decoders import Decoder

__all__ = ["Plan", "digest"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings of a comparison.

    Attributes:
        decoders: ways to decode, each for each model.
        rules: how replies are cut into words, each giving tables of its own.
        split: that is scored.
        num_replies: to each context; the first is the one that single replies are judged by.
        num_samples: K of the importance-weighted bound of latent models.
        num_prior_samples: K of the perplexity by z from the prior.
        num_context_samples: K of the bound behind changed contexts.
        num_draws: of the bootstrap.
        seed: of all that is drawn.
        max_conversations: the first so many only; None for all.
    """

    decoders: tuple[Decoder, ...]
    rules: tuple[str, ...]
    split: str = "test"
    num_replies: int = 10
    num_samples: int = 100
    num_prior_samples: int = 100
    num_context_samples: int = 10
    num_draws: int = NUM_DRAWS
    seed: int = 0
    max_conversations: int | None = None

    def __post_init__(self) -> None:
        for name in ("num_replies", "num_samples", "num_prior_samples", "num_context_samples", "num_draws"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, but must be 1 or more")
        if not self.rules:
            raise UsageError("no word rule is named; give one, such as words")

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return {
            "split": self.split,
            "decoders": [decoder.to_json() for decoder in self.decoders],
            "word_rules": list(self.rules),
            "replies_a_context": self.num_replies,
            "samples": self.num_samples,
            "prior_samples": self.num_prior_samples,
            "context_samples": self.num_context_samples,
            "bootstrap_draws": self.num_draws,
            "seed": self.seed,
            "max_conversations": self.max_conversations,
        }


def digest(values: Mapping[str, Any]) -> str:
    """Returns the first digits of a SHA-256 of plain JSON values; equal values give equal digits."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
