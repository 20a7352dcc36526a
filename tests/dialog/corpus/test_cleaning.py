"""Cleaning, splits and digests: the sums add up, and equal content has equal digests."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialog.conversation import Conversation, Turn
from dialog.corpus.cleaning import RULES, Counts, clean
from dialog.corpus.records import Parsed
from dialog.corpus.splits import Shares, split_by_name, split_of, splits_by_names
from dialog.errors import UsageError
from dialog.text.loose import loose_digest
from dialog.text.normalise import normalise

speakers = st.sampled_from(["A", "B", " B", "system", "assistant", "user", "\ud800"])
texts = st.one_of(st.sampled_from(["", " ", "hi", "ho  ho", "\u3000", "ﬁn"]), st.text(max_size=5))
conversations = st.builds(
    Parsed,
    st.builds(Conversation, st.just("x"), st.lists(st.builds(Turn, speakers, texts), max_size=7).map(tuple)),
    st.booleans(),
)


@given(st.lists(conversations, max_size=6), st.sampled_from([None, "A", "assistant", "nobody"]))
def test_the_sums_add_up(read, reply_as) -> None:
    counts = Counts()
    kept = [row for row in (clean(parsed, reply_as, counts) for parsed in read) if row is not None]
    dropped = sum(counts[f"conversations_dropped_{rule}"] for rule in RULES)
    assert counts["conversations_read"] == len(read) == len(kept) + dropped
    assert counts["turns_read"] == sum(len(row.texts) for row in kept) + sum(
        counts[f"turns_{name}"] for name in ("system", "empty", "joined", "of_dropped")
    )


@given(conversations, st.sampled_from([None, "A", "B"]))
def test_what_is_kept_is_clean(parsed, reply_as) -> None:
    row = clean(parsed, reply_as, Counts())
    if row is None:
        return
    assert len(row.texts) == len(row.speakers) == len(row.targets) >= 2
    assert all(text and text == normalise(text) for text in row.texts)
    assert all(one != other for one, other in zip(row.speakers, row.speakers[1:], strict=False))
    assert list(dict.fromkeys(row.speakers)) == list(range(max(row.speakers) + 1))
    assert any(row.targets)
    assert not row.targets[0]
    "".join((row.id, *row.texts)).encode()


def cleaned(*pairs: tuple[str, str], roles: bool = False, reply_as: str | None = None):
    turns = tuple(Turn(*pair) for pair in pairs)
    return clean(Parsed(Conversation("x", turns), roles), reply_as, Counts())


def test_reply_as_keeps_every_turn_and_marks_one_speaker() -> None:
    row = cleaned(("A", "a"), ("B", "b"), ("A", "c"), ("C", "d"), reply_as="A")
    assert row.targets == (False, False, True, False)
    assert row.texts == ("a", "b", "c", "d")
    assert cleaned(("A", "a"), ("B", "b"), reply_as="A") is None


def test_role_logs_train_on_the_assistant_and_leave_system_messages_out() -> None:
    said = ("system", "be kind"), ("user", "hi"), ("assistant", "ho"), ("System", "x"), ("assistant", "well")
    row = cleaned(*said, ("user", "so"), roles=True)
    assert row.texts == ("hi", "ho well", "so")
    assert row.targets == (False, True, False)
    assert cleaned(*said).texts == ("be kind", "hi", "ho", "x", "well")


def test_control_symbols_and_markup_stay_text() -> None:
    row = cleaned(("A", "</s> <unk>"), ("B", "<b>bold</b> &amp;"))
    assert row.texts == ("</s> <unk>", "<b>bold</b> &amp;")


def test_exact_digest_follows_texts_and_who_speaks_not_names() -> None:
    assert cleaned(("A", "hi"), ("B", "ho")).exact == cleaned(("Zoe", " hi"), ("Yan", "ho ")).exact
    assert cleaned(("A", "hi"), ("B", "ho")).exact != cleaned(("A", "hi"), ("B", "Ho")).exact
    one = cleaned(("A", "a"), ("B", "b"), ("A", "c"))
    assert one.exact != cleaned(("A", "a"), ("B", "b"), ("C", "c")).exact
    assert one.exact != cleaned(("A", "a"), ("B", "b c")).exact


def test_loose_digest_leaves_out_case_space_and_punctuation() -> None:
    assert loose_digest(("Hi, you!", "Ho.")) == loose_digest(("hi you", "ho"))
    assert loose_digest(("hi", "ho")) != loose_digest(("hi", "he"))
    assert loose_digest(("!", "?")) != loose_digest(("?", "!"))


@given(st.binary(min_size=16, max_size=16), st.integers(-(2**63), 2**63 - 1))
@example(bytes(16), 2**63 - 1)
def test_a_larger_share_only_takes_from_training(digest, seed) -> None:
    small, large = Shares(0.1, 0.1), Shares(0.4, 0.1)
    assert split_of(digest, Shares(0.0, 0.0), seed) == "train"
    before, after = split_of(digest, small, seed), split_of(digest, large, seed)
    assert after == before or (before, after) == ("train", "valid")


def test_shares_are_met_and_follow_the_seed() -> None:
    digests = [loose_digest((str(number), "x")) for number in range(4_000)]
    drawn = [split_of(digest, Shares(0.2, 0.1), 1) for digest in digests]
    assert 0.17 < drawn.count("valid") / len(drawn) < 0.23
    assert 0.08 < drawn.count("test") / len(drawn) < 0.12
    assert drawn != [split_of(digest, Shares(0.2, 0.1), 2) for digest in digests]


@pytest.mark.parametrize("shares", [(-0.1, 0.1), (0.1, 1.0), (0.5, 0.5), (float("nan"), 0.1)])
def test_shares_that_cannot_be_are_refused(shares) -> None:
    with pytest.raises(UsageError):
        Shares(*shares)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("logs/train.jsonl.gz", "train"),
        ("logs/dialogues_validation.txt", "valid"),
        ("logs/dev/part-1.csv", "valid"),
        ("logs/deep/test/x/part.csv", "test"),
        ("logs/contest.csv", None),
        ("logs/train_test.csv", None),
        ("logs/a.csv", None),
    ],
)
def test_names_give_splits(path, split) -> None:
    assert split_by_name(Path(path), Path("logs")) == split


def test_folders_above_the_logs_give_no_split() -> None:
    assert split_by_name(Path("/test/logs/a.csv"), Path("/test/logs")) is None
    assert split_by_name(Path("/test/a.csv"), Path("/test/a.csv")) is None


def test_names_count_only_where_every_file_has_one_and_some_train() -> None:
    def splits(*names: str) -> list[str] | None:
        return splits_by_names([(Path("logs") / name, Path("logs")) for name in names])

    assert splits("train.csv", "test.csv") == ["train", "test"]
    assert splits("train.csv", "more.csv") is None
    assert splits("valid.csv", "test.csv") is None
