"""The measures, with models that are played: what they say is known, and so is what must be found."""

from random import Random

import pytest

from dialog.decoding.replies import Reply, Sampling
from dialog.evaluation.probes import measures
from dialog.evaluation.probes.course import CourseProbe, wording
from dialog.evaluation.probes.measures import MANNERS, ideal_course_figures, measure_course, measure_memory
from dialog.evaluation.probes.memory import MemoryProbe


def reply(text: str, index: int = 0, latent: tuple[float, ...] | None = None) -> Reply:
    return Reply(text, (), "end", 0.0, 0.0, latent, 0, index, Sampling(), "", "")


class Remembering:
    """Names the first value of the turn `back` turns before the reply, if one stands there."""

    def __init__(self, probe: MemoryProbe, back: int) -> None:
        self._probe, self._back = probe, back

    def reply_all(self, conversations, sampling):
        turns = [conversation.turns[-self._back :][0].text for conversation in conversations]
        return [[reply(" ".join(self._probe.named(text)[:1]))] for text in turns]


def test_the_share_right_is_that_of_the_model() -> None:
    probe = MemoryProbe(1, num_values=5)
    for back in probe.distances:  # it knows names, colours and numbers it does not
        found = measure_memory(Remembering(probe, back), probe, groups=2)
        assert found == {str(d): pytest.approx(1 / 3 if d == back else 0) for d in probe.distances}


class Courses:
    """Draws the course by z alone, if it has one, else by the words; both by the true shares."""

    def __init__(self, probe: CourseProbe, has_latent: bool) -> None:
        self._by_topic = {context.topic: context.shares for context in probe.contexts}
        self.model = type("Model", (), {"is_latent": has_latent})

    def course(self, conversation, random: Random) -> str:
        (shares,) = (s for topic, s in self._by_topic.items() if f" {topic}" in conversation.turns[0].text)
        return random.choices(list(shares), list(shares.values()))[0]

    def say(self, conversation, index: int, latent: float, seed: int) -> Reply:
        words = Random(f"{conversation.id}/{index}/{seed}")
        course = self.course(conversation, Random(f"{latent}") if self.model.is_latent else words)
        return reply(wording(course, words), index, (latent,))

    def reply(self, conversation, sampling, num_replies, seed):
        return [self.say(conversation, index, float(index), seed) for index in range(num_replies)]


@pytest.mark.parametrize("has_latent", [True, False])
def test_perfect_models_have_the_figures_that_are_expected_of_them(monkeypatch, has_latent) -> None:
    def redraw(model, conversation, sampling, latents, num_replies, seed):
        groups = [0.0] if latents is None else latents[:, 0].tolist()
        return [
            [model.say(conversation, index, latent, seed) for index in range(num_replies)]
            for latent in groups
        ]

    monkeypatch.setattr(measures, "redraw", redraw)
    probe = CourseProbe(1)
    found = measure_course(Courses(probe, has_latent), probe, 200, 20, seed=1)
    ideal = ideal_course_figures(200)
    for name, manners in found.items():
        for manner, figures in manners.items():
            expected = ideal[name]["by z" if has_latent else "word by word, temperature 1"]
            assert figures["total_variation"] == pytest.approx(expected["total_variation"], abs=0.03)
            assert (figures["taken"], figures["wrong"]) == (4.0, 0.0)
            assert figures["safe"] == pytest.approx(expected["safe"], abs=0.06)
            if manner == "greedy words":
                assert figures["agreement"] is None
            else:
                assert figures["agreement"] == pytest.approx(expected["agreement"], abs=0.03)


def test_perfect_models_of_words_by_hand() -> None:
    ideal = ideal_course_figures(10_000)
    greedy = {name: manners["word by word, greedy words"] for name, manners in ideal.items()}
    assert [greedy[name]["total_variation"] for name in greedy] == pytest.approx([0.75, 0.5, 0.75])
    assert [one["taken"] for one in greedy.values()] == [1.0, 1.0, 1.0]
    cold = {name: manners["word by word, temperature 0.3"] for name, manners in ideal.items()}
    assert cold["equal"]["total_variation"] < 0.01  # equal shares stay equal
    powers = [share ** (1 / 0.3) for share in (0.5, 0.25, 0.15, 0.1)]
    assert cold["unequal"]["total_variation"] == pytest.approx(powers[0] / sum(powers) - 0.5, abs=0.01)
    assert cold["unequal"]["taken"] == 2.0
    powers = [0.25 ** (1 / 0.3), 9 * (0.25 / 3) ** (1 / 0.3)]
    assert cold["safe"]["safe"] == pytest.approx(powers[0] / sum(powers))
    assert list(MANNERS) == ["temperature 1", "temperature 0.3", "greedy words"]
