"""The dull-reply alarm: says so when a model answers everything alike, and what to turn.

The figures of the sampled replies (`evaluation.diversity`) are held against two things:

| figure | against people's own replies to the same contexts | against the model's earlier validations |
|---|---|---|
| share of the most frequent reply | above twice theirs + 0.05 | the lowest + 0.10 |
| distinct-1, distinct-2 | below 0.4 of theirs | below 0.7 of the highest |
| mean length | below 0.5 of theirs | below 0.6 of the highest |

A model at its beginning babbles: its replies are long and more varied than people's. Earlier figures that
are beyond people's therefore do not count, or every training would begin with an alarm. Fewer than 20
replies say nothing. What healthy models reach stands in `docs/monitoring.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dialog.evaluation.diversity import Diversity

__all__ = ["dullness_warnings"]

_FEWEST_REPLIES = 20
_LONGEST_QUOTE = 40


@dataclass(frozen=True, slots=True)
class _Limit:
    """When a figure that should be high is too low."""

    name: str
    title: str
    of_people: float
    of_earlier: float
    form: str


_LIMITS = (
    _Limit("distinct_1", "distinct-1", 0.4, 0.7, ".3f"),
    _Limit("distinct_2", "distinct-2", 0.4, 0.7, ".3f"),
    _Limit("mean_length", "mean length in tokens", 0.5, 0.6, ".1f"),
)


def dullness_warnings(
    model: Diversity | None, people: Diversity | None, earlier: Sequence[Diversity], is_latent: bool
) -> list[str]:
    """Returns a warning in words, or nothing.

    Args:
        model: of the replies sampled now; None if none were.
        people: of people's replies to the same contexts.
        earlier: of the model's earlier validations.
        is_latent: whether the model has a latent variable that could vary the replies.
    """
    if model is None or people is None or model.num_replies < _FEWEST_REPLIES:
        return []
    signs = _share_signs(model, people, earlier)
    for limit in _LIMITS:
        signs += _low_signs(limit, model, people, earlier)
    if not signs:
        return []
    return [f"replies are dull: {'; '.join(signs)}. {_advice(is_latent)}"]


def _share_signs(model: Diversity, people: Diversity, earlier: Sequence[Diversity]) -> list[str]:
    reply = model.top_reply
    quoted = reply if len(reply) <= _LONGEST_QUOTE else reply[: _LONGEST_QUOTE - 1] + "…"
    said = f"{model.top_share:.0%} of {model.num_replies} sampled replies are “{quoted}”"
    if model.top_share > 2 * people.top_share + 0.05:
        return [f"{said} (people's most frequent: {people.top_share:.0%})"]
    lowest = min((figures.top_share for figures in earlier), default=1.0)
    if model.top_share > max(lowest, people.top_share) + 0.10:
        return [f"{said}, risen from {lowest:.0%}"]
    return []


def _low_signs(limit: _Limit, model: Diversity, people: Diversity, earlier: Sequence[Diversity]) -> list[str]:
    value, theirs = float(getattr(model, limit.name)), float(getattr(people, limit.name))
    if value < limit.of_people * theirs:
        return [f"{limit.title} is {value:{limit.form}} (people's {theirs:{limit.form}})"]
    before = [found for figures in earlier if (found := float(getattr(figures, limit.name))) <= theirs]
    highest = max(before, default=0.0)
    if value < limit.of_earlier * highest:
        return [f"{limit.title} has fallen from {highest:{limit.form}} to {value:{limit.form}}"]
    return []


def _advice(is_latent: bool) -> str:
    latent = (
        "let the latent variable work (free_bits, a longer kl_annealing_updates, word_dropout)"
        if is_latent
        else "a model that varies the course of its replies (--model vhred, with --init-from this run if it is HRED)"
    )
    return (
        "What to turn: train on while the bound still falls; sample with a higher temperature or top-p; "
        f"label_smoothing=0.1; more conversations, or fewer that repeat each other; {latent}"
    )
