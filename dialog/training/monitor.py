"""What each validation looks at beside the likelihood: replies, how varied they are, z, and what is wrong.

All of it is written into `metrics.jsonl`, and a run that goes on reads there what its earlier validations
found.
"""

import json
from pathlib import Path
from typing import Any

from dialog.evaluation.diversity import Diversity
from dialog.evaluation.latent import evaluate_latent
from dialog.models.base import ReplyModel
from dialog.text.loader import EncodedSplit
from dialog.text.tokenizer import Tokenizer
from dialog.training.collapse import collapse_warnings
from dialog.training.config import TrainingConfig
from dialog.training.dullness import dullness_warnings
from dialog.training.samples import ReplySampler

__all__ = ["Monitor"]

_LATENT_REPLIES = 1_000
"""Validation replies whose z is looked at; they are encoded, not decoded."""


class Monitor:
    """Looks at a model at each validation, and remembers what it saw.

    Args:
        folder: the run folder, whose `metrics.jsonl` holds the validations before a resume.
        tokenizer: the model's own.
        split: contexts are drawn from it.
        config: how many replies are shown and measured.
        says_again: whether the model says utterances again instead of replying.
    """

    def __init__(
        self,
        folder: Path,
        tokenizer: Tokenizer,
        split: EncodedSplit,
        config: TrainingConfig,
        says_again: bool = False,
    ) -> None:
        self._sampler = ReplySampler(
            tokenizer, split, config.sample_replies, config.measure_replies, says_again=says_again
        )
        self._earlier = _earlier_replies(folder / "metrics.jsonl")
        self._split, self._config = split, config

    def look(self, model: ReplyModel, update: int) -> dict[str, Any]:
        """Looks at the model that `update` has made.

        Returns:
            What `metrics.jsonl` holds of the replies, of z under `latent` (None without one), and `warnings`:
            sentences, none if all is well.
        """
        replies = self._sampler.sample(model)
        latent = None
        if model.is_latent:
            latent = evaluate_latent(model, self._split, max_replies=_LATENT_REPLIES)
        warnings = [
            *dullness_warnings(replies.model, replies.people, self._earlier, model.is_latent),
            *collapse_warnings(latent, model, update, self._config),
        ]
        if replies.model is not None:
            self._earlier.append(replies.model)
        figures = None if latent is None else latent.to_json()
        return {**replies.to_json(), "latent": figures, "warnings": warnings}


def _earlier_replies(path: Path) -> list[Diversity]:
    """Returns the figures of the validations in a log; runs of earlier versions have none."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [Diversity(**line["replies"]) for line in lines if line.get("replies") is not None]
