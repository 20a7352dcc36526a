"""The course probe's corpus: exact shares, and words that tell the course of every reply."""

from collections import Counter
from random import Random

import pytest

from dialog.errors import UsageError
from dialog.evaluation.probes.course import BOT, COURSES, SETS, CourseProbe, course_of, word_by_word, wording

PROBE = CourseProbe(1)
TRAIN = list(PROBE.drawn("train", 480))


def test_the_course_of_every_reply_is_found_by_its_words() -> None:
    random = Random(1)
    for course in COURSES:
        replies = {wording(course, random) for _ in range(300)}
        assert {course_of(reply) for reply in replies} == {course}
        assert len(replies) >= (5 if course == "safe" else 80)  # the wording varies


def test_no_word_of_a_course_stands_in_another_or_outside() -> None:
    owners = Counter(word for places in COURSES.values() for place in places for word in place.split("|"))
    assert set(owners.values()) == {1}
    contexts = {word for _, c in PROBE.test(20) for turn in c.turns for word in turn.text.split()}
    beginnings = {reply.split("bake")[0].split("mix")[0].split("heat")[0] for reply in _replies("bake")}
    assert len(beginnings) == 5
    assert not contexts & set(owners) and not {w for text in beginnings for w in text.split()} & set(owners)


def _replies(course: str) -> list[str]:
    return [wording(course, Random(seed)) for seed in range(200)]


def test_a_reply_of_two_courses_or_of_none_has_none() -> None:
    assert course_of("well , bake the roses with butter") is None
    assert course_of("well , the with") is None
    assert course_of("") is None
    assert course_of("oh , that depends") == "safe"


def test_courses_have_their_exact_shares() -> None:
    found = {context.topic: Counter() for context in PROBE.contexts}
    for conversation in TRAIN:
        (topic,) = {word for word in conversation.turns[0].text.split() if word in found}
        found[topic][course_of(conversation.turns[-1].text)] += 1
    for context in PROBE.contexts:
        assert found[context.topic] == {course: round(40 * share) for course, share in context.shares.items()}
        assert sorted(context.shares.values(), reverse=True) == list(SETS[context.name])
        assert ("safe" in context.shares) == (context.name == "safe")
    with pytest.raises(
        UsageError, match="100 conversations were asked for, but it must be a multiple of 240"
    ):
        list(PROBE.drawn("train", 100))


def test_the_topic_is_said_in_the_first_turn_alone() -> None:
    topics = {context.topic for context in PROBE.contexts}
    for context, conversation in PROBE.test(3):
        named = [topics & set(turn.text.split()) for turn in conversation.turns]
        assert named == [{context.topic}, set(), set()]
        assert BOT not in {turn.speaker for turn in conversation.turns}
        answered = PROBE.answered(context, conversation)
        assert answered.turns[:-1] == conversation.turns
        assert course_of(answered.turns[-1].text) in context.shares


def test_the_seed_makes_the_corpus() -> None:
    again, other = CourseProbe(1), CourseProbe(2)
    assert list(again.drawn("train", 480)) == TRAIN and list(again.test(2)) == list(PROBE.test(2))
    assert other.contexts != PROBE.contexts
    assert len({conversation.turns for conversation in TRAIN}) == len(TRAIN)
    assert len({conversation.id for conversation in TRAIN}) == len(TRAIN)


def test_what_a_temperature_makes_of_the_courses() -> None:
    for context in PROBE.contexts:
        assert word_by_word(context.shares, 1.0) == pytest.approx(dict(context.shares))
    halved = word_by_word({"bake": 0.6, "walk": 0.4}, 0.5)  # 3 (0.2)^2 and 3 (0.4 / 3)^2: as 9 to 4
    assert halved == pytest.approx({"bake": 9 / 13, "walk": 4 / 13})
    few_ways = word_by_word({"safe": 0.5, "walk": 0.5}, 0.5)  # 1/4 and 3 / 36
    assert few_ways == pytest.approx({"safe": 0.75, "walk": 0.25})
