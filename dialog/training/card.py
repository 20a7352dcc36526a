"""The model card of a run, filled in from what training knows (after Mitchell et al. 2019)."""

from collections.abc import Mapping
from typing import Any

from dialog.models.base import ReplyModel
from dialog.models.registry import MODELS
from dialog.training.config import TrainingConfig

__all__ = ["model_card"]

_KINDS = {"forward": "reply", "backward": "backward"}
_PURPOSES = {
    "forward": "It continues conversations like those of its training data; it knows no facts, and can say what "
    "is wrong or unkind.",
    "backward": "It reads a reply and guesses the turn before it. It answers nobody: it is there to rerank the "
    "replies of another model.",
}


def model_card(
    name: str,
    model: ReplyModel,
    config: TrainingConfig,
    corpus: Mapping[str, Any],
    figures: Mapping[str, Any],
    seed: int,
) -> str:
    """Returns a model card in Markdown.

    Args:
        name: of the model in the registry.
        model: the model.
        config: how it was trained.
        corpus: what is known of the corpus: its folder's name, conversations, tokenizer hash.
        figures: of the validation that the weights were chosen by.
        seed: of the training.
    """
    latent = model.is_latent
    kind, purpose = f"A {_KINDS[config.direction]} model", _PURPOSES[config.direction]
    entry = MODELS[name]
    if "reply" not in entry.abilities:
        kind = f"A model of the kind {name}"
        purpose = f"{entry.purpose[0].upper()}{entry.purpose[1:]}. It answers nobody: {entry.instead}."
    samples = "reply" if model.bound_unit == "reply" else "reply and conversation"
    bound = f"upper bound of the NLL: ELBO, one posterior sample a {samples}" if latent else "NLL"
    sections = [
        f"# {name}\n\n{kind} ({type(model).__name__}, {model.num_parameters:,} parameters) trained by "
        f"`hred train`. {purpose}\n",
        f"## Figures\n\nOn the validation split, end tokens counted ({bound}):\n\n{_table(figures)}",
        f"## Data\n\n{_table(corpus)}",
        f"## Training\n\nSeed {seed}.\n\n{_table(config.to_json())}",
        f"## Sizes\n\n{_table(model.config.to_json())}",
    ]
    return "\n".join(sections)


def _table(values: Mapping[str, Any]) -> str:
    rows = [f"| {name} | {_text(value)} |" for name, value in values.items() if value is not None]
    return "\n".join(["| what | value |", "|---|---|", *rows]) + "\n"


def _text(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) and value >= 0.01 else str(value)
