"""Made-up words are different, new and seeded."""

from random import Random

from dialog.evaluation.probes.words import WORDS_OF_TALK, made_up_words, small_talk


def test_made_up_words() -> None:
    words = made_up_words(300, Random(1))
    assert len(set(words)) == 300 and all(len(word) == 6 for word in words)
    assert words == made_up_words(300, Random(1)) != made_up_words(300, Random(2))
    assert words[:10] == made_up_words(10, Random(1))
    assert not set(made_up_words(300, Random(1), set(words[:50]))) & set(words[:50])


def test_small_talk_has_its_own_words() -> None:
    random = Random(1)
    said = {small_talk(random) for _ in range(3000)}
    assert len(said) > 1000
    assert {word for text in said for word in text.split()} == WORDS_OF_TALK
