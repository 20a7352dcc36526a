"""What each validation looks at beside the likelihood: replies, how varied they are, and what is wrong.

All of it is written into `metrics.jsonl`, and a run that goes on reads there what its earlier validations
found.
"""

import json
from pathlib import Path
from typing import Any

from dialog.evaluation.diversity import Diversity
from dialog.models.base import ReplyModel
from dialog.text.loader import EncodedSplit
from dialog.text.tokenizer import Tokenizer
from dialog.training.config import TrainingConfig
from dialog.training.dullness import dullness_warnings
from dialog.training.samples import ReplySampler

__all__ = ["Monitor"]


class Monitor:
    """Looks at a model at each validation, and remembers what it saw.

    Args:
        folder: the run folder, whose `metrics.jsonl` holds the validations before a resume.
        tokenizer: the model's own.
        split: contexts are drawn from it.
        config: how many replies are shown and measured.
    """

    def __init__(
        self, folder: Path, tokenizer: Tokenizer, split: EncodedSplit, config: TrainingConfig
    ) -> None:
        self._sampler = ReplySampler(tokenizer, split, config.sample_replies, config.measure_replies)
        self._earlier = _earlier_replies(folder / "metrics.jsonl")

    def look(self, model: ReplyModel) -> dict[str, Any]:
        """Returns what `metrics.jsonl` holds of the replies, and `warnings`: sentences, none if all is well."""
        replies = self._sampler.sample(model)
        warnings = [
            *dullness_warnings(replies.model, replies.people, self._earlier, model.is_latent),
            # Whatever else can go wrong warns here: a function that returns sentences.
        ]
        if replies.model is not None:
            self._earlier.append(replies.model)
        return {**replies.to_json(), "warnings": warnings}


def _earlier_replies(path: Path) -> list[Diversity]:
    """Returns the figures of the validations in a log; runs of earlier versions have none."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [Diversity(**line["replies"]) for line in lines if line.get("replies") is not None]
