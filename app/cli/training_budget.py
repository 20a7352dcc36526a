"""How many updates go into the minutes that somebody gives a training, on this machine."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialog.corpus.tokenized import TokenizedCorpus

__all__ = ["updates_in"]

_FOR_TRAINING = 0.85
"""Share of the time; the rest goes to timing, validations and writing."""


def updates_in(
    minutes: float,
    prepared: "TokenizedCorpus",
    name: str,
    settings: Sequence[str],
    fewest: int,
    most_epochs: int,
) -> int:
    """Returns how many updates go into so many minutes; a few are timed for it.

    Args:
        minutes: for the training with its validations.
        prepared: what it is trained on.
        name: of the model in the registry.
        settings: sizes and training settings, NAME=VALUE.
        fewest: updates, however short the time.
        most_epochs: however long it is.
    """
    from dialog.models.config import parse_assignments
    from dialog.models.registry import build_model, model_class
    from dialog.training.config import training_config_class
    from dialog.training.estimate import estimate_training
    from dialog.training.trainer import make_loader

    seconds = 60 * minutes * _FOR_TRAINING
    cls = model_class(name)
    training_class = training_config_class(cls.is_latent)
    sizes, training = parse_assignments(list(settings), cls.config_class, training_class)
    model = build_model(name, {**sizes, "vocab_size": prepared.tokenizer.num_tokens})
    config = training_class.from_json(training)
    loader = make_loader(prepared.split("train"), config, 1)
    estimate = estimate_training(model, loader, config, min(3.0, seconds / 10))
    fitting = seconds * estimate.updates / estimate.seconds_per_epoch
    return int(max(fewest, min(fitting, most_epochs * estimate.updates)))
