"""Says so when the latent variable has collapsed, and what to turn.

A posterior that equals its prior costs no KL, and a decoder that is strong enough then does without z (Bowman
et al. 2016, "Generating Sentences from a Continuous Space", section 3). While the KL weight is below 1 the KL
says little, so this is looked at from the end of its annealing on.
"""

from dialog.evaluation.latent import LatentUse
from dialog.models.base import ReplyModel
from dialog.training.config import LatentTrainingConfig, TrainingConfig
from dialog.training.schedules import annealing_is_over

__all__ = ["LEAST_KL", "collapse_warnings"]

LEAST_KL = 0.1
"""Nats of KL a reply, or a conversation; below them z tells less of it than one fair coin in seven."""


def collapse_warnings(
    use: LatentUse | None, model: ReplyModel, update: int, config: TrainingConfig
) -> list[str]:
    """Returns a warning in words for each latent variable that has collapsed.

    Args:
        use: of the latent variables, over validation replies; None for a model without one.
        model: its settings say what can still be turned.
        update: that the model has come to.
        config: how it is trained.
    """
    if use is None or not isinstance(config, LatentTrainingConfig) or not annealing_is_over(update, config):
        return []
    uses = [use] if use.conversation is None else [use, use.conversation]
    return [
        f"the latent variable{' of the conversation' if one.unit == 'conversation' else ''} has collapsed: "
        f"{' and '.join(signs)}, so replies do not vary by it. "
        f"Train anew with {_advice(model, config, one)} (docs/latent.md)."
        for one in uses
        if (signs := _signs(one))
    ]


def _signs(use: LatentUse) -> list[str]:
    kl = sum(use.kl)
    signs = []
    if kl < LEAST_KL:
        signs.append(f"its KL is {kl:.3f} nats a {use.unit} (below {LEAST_KL:g})")
    if use.active_units_given_context == 0:
        beyond = " beyond what the context tells" if use.unit == "reply" else ""
        signs.append(f"none of its {len(use.kl)} dimensions is active{beyond}")
    return signs


def _advice(model: ReplyModel, config: LatentTrainingConfig, use: LatentUse) -> str:
    """Names the settings that are not yet turned, then those that can be turned further."""
    settings = model.config.to_json()
    ways = []
    if config.free_bits == 0:
        ways.append(f"free_bits={2 / len(use.kl):.2g}")
    if use.unit == "conversation" and settings.get("utterance_dropout", 1.0) == 0:
        ways.append("utterance_dropout=0.25")
    if not settings.get("bag_of_words", True):
        ways.append("bag_of_words=true")
    if settings.get("word_dropout", 1.0) == 0:
        ways.append("word_dropout=0.25")
    if config.kl_schedule == "linear":
        ways.append("kl_schedule=cyclical")
    longer = f"kl_annealing_updates above {config.kl_annealing_updates}"
    return f"--set {' --set '.join(ways)}, or {longer}" if ways else longer
