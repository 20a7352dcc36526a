"""What the probes find of a model: plain figures, by the names that tables and JSON use."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from dialog.conversation import Conversation
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Reply, Sampling
from dialog.evaluation.probes.course import SAFE, SETS, CourseContext, CourseProbe, course_of, word_by_word
from dialog.evaluation.probes.drawing import redraw
from dialog.evaluation.probes.memory import MemoryProbe
from dialog.evaluation.probes.shares import agreement, expected_total_variation, num_taken, total_variation

__all__ = ["MANNERS", "ideal_course_figures", "measure_course", "measure_memory"]

_LONGEST = 20  # tokens; no right reply of a probe has as many
_TOGETHER = 256  # replies that are decoded together
MANNERS = {
    "temperature 1": Sampling(temperature=1.0, max_tokens=_LONGEST),
    "temperature 0.3": Sampling(temperature=0.3, max_tokens=_LONGEST),
    "greedy words": Sampling("greedy", max_tokens=_LONGEST),
}
"""The ways in which words are chosen in the course probe."""

Step = Callable[[int, int], None]
"""Is told: how much is done, of how much."""


def measure_memory(
    replier: Replier, probe: MemoryProbe, groups: int, step: Step = lambda *_: None
) -> dict[str, float]:
    """Returns the share of right replies, greedy, by distance.

    Args:
        replier: of a model that was trained on the probe's corpus.
        probe: whose test is answered.
        groups: of the test, for each distance and kind.
        step: is told how it goes.
    """
    questions = list(probe.test(groups))
    right: dict[int, list[bool]] = {distance: [] for distance in probe.distances}
    for start in range(0, len(questions), _TOGETHER):
        some = questions[start : start + _TOGETHER]
        replies = replier.reply_all([q.conversation for q in some], MANNERS["greedy words"])
        for question, (reply,) in zip(some, replies, strict=True):
            right[question.distance].append(probe.is_right(question, reply.text))
        step(start + len(some), len(questions))
    return {str(distance): sum(found) / len(found) for distance, found in right.items()}


def measure_course(
    replier: Replier,
    probe: CourseProbe,
    num_replies: int,
    num_latents: int,
    seed: int,
    step: Step = lambda *_: None,
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Returns what the courses of replies are like: figures by set of contexts and by manner.

    | figure | what it is, the mean over the contexts of the set |
    |---|---|
    | `taken` | courses that at least 5 % of the replies take |
    | `total_variation` | of the replies' courses from the true shares; replies of no course count as wrong |
    | `agreement` | share of pairs with one z that are of one course; without z, of all pairs; None if greedy |
    | `wrong` | share of replies of no course, or of one that is not right for the context |
    | `safe` | share of replies of the safe course |

    Args:
        replier: of a model that was trained on the probe's corpus.
        probe: whose contexts are answered.
        num_replies: to each context, in each manner; with a latent variable each has its own z.
        num_latents: z of each context whose words are redrawn, `num_replies` in all.
        seed: of the replies.
        step: is told how it goes.
    """
    contexts = list(probe.test(1))
    found: dict[str, dict[str, list[dict[str, float | None]]]] = {
        name: {manner: [] for manner in MANNERS} for name in SETS
    }
    done = 0
    for context, conversation in contexts:
        for manner, sampling in MANNERS.items():
            replies = replier.reply(conversation, sampling, num_replies, seed)
            figures = _course_figures(context, [course_of(reply.text) for reply in replies])
            figures["agreement"] = (
                None
                if sampling.method == "greedy"
                else _agreement(replier, conversation, sampling, replies[:num_latents], num_replies, seed + 1)
            )
            found[context.name][manner].append(figures)
            done += 1
            step(done, len(contexts) * len(MANNERS))
    return {
        name: {manner: _means(figures) for manner, figures in manners.items()}
        for name, manners in found.items()
    }


def ideal_course_figures(num_replies: int) -> dict[str, dict[str, dict[str, float | None]]]:
    """Returns the figures of `measure_course` for perfect models, the noise of `num_replies` replies counted.

    `word by word, …` draws each word by its true probability given those before, and so knows no z. `by z` draws the
    course by its true share and words it in any manner.
    """
    ideal: dict[str, dict[str, dict[str, float | None]]] = {}
    for context in CourseProbe(1).contexts:
        if context.name not in ideal:
            of_words = {
                f"word by word, {manner}": _ideal(
                    context, _drawn_shares(context, sampling), num_replies, sampling
                )
                for manner, sampling in MANNERS.items()
            }
            by_z = _ideal(context, context.shares, num_replies, Sampling())
            ideal[context.name] = {**of_words, "by z": {**by_z, "agreement": 1.0}}
    return ideal


def _drawn_shares(context: CourseContext, sampling: Sampling) -> Mapping[str, float]:
    if sampling.method == "sample":
        return word_by_word(context.shares, sampling.temperature)
    sharp = word_by_word(context.shares, 0.01)
    most = max(sharp, key=lambda course: sharp[course])
    return {course: float(course == most) for course in context.shares}


def _ideal(
    context: CourseContext, drawn: Mapping[str, float], num_replies: int, sampling: Sampling
) -> dict[str, float | None]:
    return {
        "taken": float(sum(share >= 0.05 for share in drawn.values())),
        "total_variation": expected_total_variation(num_replies, context.shares, drawn),
        "wrong": 0.0,
        "safe": drawn.get(SAFE, 0.0),
        "agreement": None if sampling.method == "greedy" else sum(share**2 for share in drawn.values()),
    }


def _course_figures(context: CourseContext, courses: Sequence[str | None]) -> dict[str, float | None]:
    return {
        "taken": float(num_taken(courses, context.shares)),
        "total_variation": total_variation(courses, context.shares),
        "wrong": sum(course not in context.shares for course in courses) / len(courses),
        "safe": sum(course == SAFE for course in courses) / len(courses),
    }


def _agreement(
    replier: Replier,
    conversation: Conversation,
    sampling: Sampling,
    replies: Sequence[Reply],
    num_replies: int,
    seed: int,
) -> float:
    """Redraws the words of replies whose z are kept."""
    latents = None
    if replier.model.is_latent:
        latents = torch.tensor([reply.latent for reply in replies])
    num_groups = 1 if latents is None else len(latents)
    groups = redraw(replier, conversation, sampling, latents, max(2, num_replies // num_groups), seed)
    return agreement([[course_of(reply.text) for reply in group] for group in groups])


def _means(figures: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    return {
        name: None if value is None else sum(one[name] for one in figures) / len(figures)
        for name, value in figures[0].items()
    }
