"""The rows of the DailyDialog benchmark: what is trained, how, and at which sizes.

A row is a model with its settings, trained in one or two stages that share the row's target tokens: one that starts
from an HRED sees as many in all as one that does not. All rows have about as many parameters as the reference row,
within `MOST_DIFFERENCE`; a row says which of its sizes is fitted for that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from dialog.models.registry import build_model, model_class
from dialog.training.config import training_config_class

__all__ = [
    "MOST_DIFFERENCE",
    "REFERENCE",
    "ROWS",
    "Row",
    "Stage",
    "fitted_settings",
    "num_parameters",
    "stage_settings",
    "stage_training",
]

MOST_DIFFERENCE = 0.05
"""Share of the reference's parameters that a row may have more or less."""
CONTEXT_TURNS, CONTEXT_TOKENS, UTTERANCE_TOKENS = 8, 150, 64
_LARGEST_SIZE = 16_384


@dataclass(frozen=True, slots=True)
class Stage:
    """A training.

    Attributes:
        model: by the registry's name.
        share: of the row's target tokens that it sees.
        training: how, beyond what all rows have.
        annealing: share of its updates after which the KL's weight is 1; of latent models.
    """

    model: str
    share: float = 1.0
    training: Mapping[str, Any] = field(default_factory=dict)
    annealing: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes:
        name: what options, folders and tables call it.
        purpose: what it shows.
        stages: each starts from the weights of the one before.
        settings: of the model of the last stage; an earlier stage takes those that it has.
        fitted: the size that is fitted to the reference's number of parameters, or empty.
        embedding_share: of the table's width that its token vectors have.
    """

    name: str
    purpose: str
    stages: tuple[Stage, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    fitted: str = "hidden_size"
    embedding_share: float = 1.0


_OVER_CONTEXT = {"attention_turns": CONTEXT_TURNS}
_LATENT = {"latent_size": 64, "bag_of_words": True, **_OVER_CONTEXT}
_KEPT_ALIVE = {"free_bits": 0.02, "bag_of_words_weight": 0.5}
_START_SHARE = 0.5
"""Of the target tokens of a row that starts from an HRED, those that the HRED sees."""

REFERENCE = "hred-context"
"""The row whose number of parameters the others are fitted to."""

_ALL = (
    Row("seq2seq-last", "the last utterance alone", (Stage("seq2seq"),)),
    Row(
        "seq2seq-flat",
        f"the last {CONTEXT_TURNS} turns as one sequence of at most {CONTEXT_TOKENS} tokens",
        (Stage("seq2seq"),),
        {"context_turns": CONTEXT_TURNS, "max_context_tokens": CONTEXT_TOKENS},
    ),
    Row("hred-last", "the context RNN, attention over the last utterance", (Stage("hred"),)),
    Row(REFERENCE, f"the same, attention over {CONTEXT_TURNS} turns", (Stage("hred"),), _OVER_CONTEXT, ""),
    Row(
        "vhred",
        "a latent variable for each reply besides, starting from an HRED",
        (Stage("hred", _START_SHARE), Stage("vhred", 1 - _START_SHARE, _KEPT_ALIVE, 0.4)),
        _LATENT,
    ),
    Row(
        "vhcr",
        "a latent variable of the conversation besides, starting from an HRED",
        (Stage("hred", _START_SHARE), Stage("vhcr", 1 - _START_SHARE, _KEPT_ALIVE, 0.4)),
        {**_LATENT, "conversation_latent_size": 64},
    ),
    Row(
        "transformer",
        f"the last {CONTEXT_TURNS} turns as one sequence of at most {CONTEXT_TOKENS} tokens, by a Transformer",
        (Stage("transformer"),),
        {
            "encoder_layers": 2,
            "decoder_layers": 2,
            "heads": 4,
            "context_turns": CONTEXT_TURNS,
            "max_context_tokens": CONTEXT_TOKENS,
        },
        "feedforward_size",
        0.75,
    ),
)

ROWS: Mapping[str, Row] = {row.name: row for row in _ALL}
"""All rows by name, the first ones first."""
_REFERENCE_MODEL = ROWS[REFERENCE].stages[-1].model


def fitted_settings(row: Row, vocab_size: int, hidden: int, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a row's last model, its fitted size set.

    Args:
        row: the row.
        vocab_size: tokens that the tokenizer knows.
        hidden: the reference's sizes of embedding, hidden and context state.
        changes: settings that all rows take that have them, such as the dropout.

    Raises:
        SystemExit: no size brings the number of parameters near the reference's.
    """
    settings = _settings(row, vocab_size, hidden, changes)
    if not row.fitted:
        return settings
    model, step = row.stages[-1].model, 2
    wanted = num_parameters(_REFERENCE_MODEL, _settings(ROWS[REFERENCE], vocab_size, hidden, changes))

    def parameters(size: int) -> int:
        return num_parameters(model, {**settings, row.fitted: size})

    low, high = 1, _LARGEST_SIZE // step
    while low < high:  # the least size with at least as many parameters
        middle = (low + high) // 2
        low, high = (low, middle) if parameters(middle * step) >= wanted else (middle + 1, high)
    size = min((max(low - 1, 1) * step, low * step), key=lambda each: abs(parameters(each) - wanted))
    found = parameters(size)
    if abs(found - wanted) > MOST_DIFFERENCE * wanted:
        raise SystemExit(
            f"{row.name} has {found:,} parameters with {row.fitted}={size}, the reference {wanted:,}: no size "
            "brings them together; change another size of the row"
        )
    return {**settings, row.fitted: size}


def num_parameters(model: str, settings: Mapping[str, Any]) -> int:
    """Returns how many numbers a model of these settings trains; no memory is taken for them."""
    with torch.device("meta"):
        return build_model(model, settings).num_parameters


def stage_settings(stage: Stage, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those of a row's `settings` that a stage's model has."""
    fields = model_class(stage.model).config_class.__dataclass_fields__
    return {name: value for name, value in settings.items() if name in fields}


def stage_training(stage: Stage, updates: int, common: Mapping[str, Any]) -> dict[str, Any]:
    """Returns how a stage of so many updates is trained: its schedules end with it.

    Args:
        stage: the stage.
        updates: of it.
        common: what all rows have.
    """
    training = {
        "warmup_updates": max(1, min(200, updates // 10)),
        "decay_updates": updates,
        "validate_every": max(1, updates // 10),
        "patience": 0,
        "sample_replies": 0,
        "measure_replies": 0,
        "validate_conversations": 0,
        **common,
        **stage.training,
    }
    if stage.annealing is not None:
        training["kl_annealing_updates"] = max(1, round(stage.annealing * updates))
    fields = training_config_class(model_class(stage.model).is_latent).__dataclass_fields__
    return {name: value for name, value in training.items() if name in fields}


def _settings(row: Row, vocab_size: int, hidden: int, changes: Mapping[str, Any]) -> dict[str, Any]:
    stage = row.stages[-1]
    sizes = {
        "vocab_size": vocab_size,
        "embedding_size": 4 * round(row.embedding_share * hidden / 4),
        "hidden_size": hidden,
        "context_size": hidden,
        "latent_hidden_size": min(200, hidden),
        "conversation_reader_size": hidden // 2,
        "max_utterance_tokens": UTTERANCE_TOKENS,
    }
    return stage_settings(stage, {**sizes, **row.settings, **changes})
