"""The same texts are scored whatever the tokens are; counts are those of the texts."""

import numpy as np
import pytest

from dialog.errors import CorpusError
from dialog.evaluation.comparison.material import default_rules, needs_no_spaces, unique_ids
from dialog.evaluation.comparison.scoring import frequency_costs, token_frequencies
from dialog.text.batches import EOS
from tests.dialog.evaluation.comparison_cases import TEXTS, Split, make_material, make_tokenizer


def test_another_tokenizer_reads_the_same_texts_and_targets() -> None:
    own, other = make_tokenizer(300), make_tokenizer(285)
    assert own.hash != other.hash
    material = make_material(own)
    assert material.for_tokenizer(own) is material.split
    encoded = material.for_tokenizer(other)
    assert len(encoded) == len(TEXTS)
    assert encoded.targets.tolist() == material.split.targets.tolist()
    assert encoded.offsets.tolist() == material.split.offsets.tolist()
    flat = [tokens for number in range(len(encoded)) for tokens in encoded[number].utterances]
    assert [other.decode(tokens.tolist()) for tokens in flat] == [text for talk in TEXTS for text in talk]
    assert encoded.lengths.tolist() == list(map(len, flat))
    for number, talk in enumerate(TEXTS):
        assert encoded[number].targets.tolist() == [False] + [True] * (len(talk) - 1)


def test_contexts_are_all_that_was_said_before() -> None:
    material = make_material(make_tokenizer())
    found = [(c.conversation, c.turn, list(c.texts), c.reference) for c in material.contexts]
    assert found == [
        (number, turn, talk[:turn], talk[turn])
        for number, talk in enumerate(TEXTS)
        for turn in range(1, len(talk))
    ]


def test_the_first_conversations_are_a_part() -> None:
    whole, part = make_material(make_tokenizer()), make_material(make_tokenizer(), max_conversations=2)
    assert part.ids == whole.ids[:2] and part.key != whole.key
    assert part.contexts == whole.contexts[: len(part.contexts)]
    assert part.split.lengths.tolist() == whole.split.lengths[:6].tolist()


def test_counts_are_of_the_texts() -> None:
    material = make_material(make_tokenizer())
    sums = material.counts(("words",))
    assert sums.column("replies").tolist() == [3, 1, 4, 1]
    assert sums.column("characters").tolist() == [sum(len(t) + 1 for t in talk[1:]) for talk in TEXTS]
    assert sums.column("words_words").tolist()[1] == 5  # it is very warm, and the end
    by_turn = sum(sums.column(f"characters_turn_{turn}") for turn in range(1, 11))
    assert np.array_equal(by_turn, sums.column("characters"))


def test_texts_have_one_hash_whatever_their_tokens_are() -> None:
    hashes = {make_material(make_tokenizer(size)).text_hash for size in (285, 300)}
    assert len(hashes) == 1
    other = [*TEXTS[:-1], ["hello you", "hello, how are you"]]
    assert make_material(make_tokenizer(), other).text_hash not in hashes


def test_a_split_without_replies_is_told() -> None:
    with pytest.raises(CorpusError, match="no reply to score"):
        make_material(make_tokenizer(), [["hello you"]])


def test_rules_follow_the_script() -> None:
    assert default_rules(["how are you?"]) == ("words",)
    assert default_rules(["元気ですか。", "はい"])[0] == "characters"
    assert not needs_no_spaces([]) and not needs_no_spaces(["", "a"])
    assert needs_no_spaces(["カラオケ ok"])


def test_names_that_stand_twice_get_a_number() -> None:
    assert unique_ids(["a", "b", "a", "a"]) == ("a", "b", "a#2", "a#3")


def test_frequencies_are_a_distribution_and_their_costs_worked_out() -> None:
    tokenizer = make_tokenizer()
    split = Split([["you", "you"], ["you", "hello you"]], tokenizer)
    shares = token_frequencies(split, tokenizer.num_tokens)
    assert np.exp(shares).sum() == pytest.approx(1)
    (you,), hello_you = tokenizer.encode("you"), tokenizer.encode("hello you")
    total = tokenizer.num_tokens + 1 + len(hello_you) + 2
    assert np.exp(shares[[you, EOS]]) == pytest.approx([3 / total, 3 / total])
    sums = frequency_costs(split, ["a", "b"], shares)
    assert sums.column("tokens").tolist() == [2, len(hello_you) + 1]
    assert sums.column("nats")[0] == pytest.approx(-2 * np.log(3 / total))
