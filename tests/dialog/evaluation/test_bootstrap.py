"""Intervals hold the truth as often as they say, pairs are drawn together, and nothing undefined stands."""

import json
import math
import time

import numpy as np
import pytest
from sacrebleu.metrics import BLEU
from scipy import stats

from dialog.errors import UsageError
from dialog.evaluation.bootstrap import compare, draws, estimate
from dialog.evaluation.overlap import bleu_figure, measure_overlap
from dialog.evaluation.sums import Sums, perplexity, ratio
from dialog.evaluation.variety import VARIETY_FIGURES, measure_variety

PER_TOKEN = ratio("nats_per_token", "nats", "tokens", lower_is_better=True)


def scores(random: np.random.Generator, count: int, level: float = 4.0) -> Sums:
    """Conversations of unlike length, whose nats a token rise with it."""
    tokens = random.integers(5, 60, count)
    nats = tokens * (level + 0.01 * tokens + random.normal(0, 0.5, count))
    return Sums.of(map(str, range(count)), {"nats": nats, "tokens": tokens})


def test_a_draw_is_as_many_conversations_as_there_are() -> None:
    parts = list(draws(50, 300, seed=1))
    counts = np.concatenate(parts)
    assert counts.shape == (300, 50)
    assert (counts.sum(1) == 50).all()
    assert abs(counts.mean(0) - 1).max() < 0.3
    np.testing.assert_array_equal(counts, np.concatenate(list(draws(50, 300, seed=1))))
    assert (counts != np.concatenate(list(draws(50, 300, seed=2)))).any()


def test_memory_is_bounded_however_many_conversations_there_are() -> None:
    sizes = [part.size for part in draws(30_000, 100, seed=1)]
    assert sum(sizes) == 30_000 * 100
    assert max(sizes) <= 2_000_000


def test_intervals_are_those_of_scipy() -> None:
    sums = scores(np.random.default_rng(0), 80)
    found = estimate(sums, [PER_TOKEN], num_draws=4000)["nats_per_token"]
    theirs = stats.bootstrap(
        (sums.column("nats"), sums.column("tokens")),
        lambda nats, tokens, axis: nats.sum(axis) / tokens.sum(axis),
        n_resamples=4000,
        paired=True,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found.value == pytest.approx(sums.column("nats").sum() / sums.column("tokens").sum())
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert found.high - found.low > 0.2


def test_the_interval_of_bleu_is_sacrebleus_own() -> None:
    random = np.random.default_rng(2)
    references = [" ".join(random.choice(list("abcdefgh"), 12)) for _ in range(60)]
    replies = [
        " ".join(word if random.random() < 0.7 else "x" for word in reference.split())
        for reference in references
    ]
    found = measure_overlap(replies, references, np.arange(60), list(map(str, range(60))))
    ours = estimate(found.sums, [bleu_figure(4)], num_draws=2000)["bleu_4"]
    theirs = BLEU().corpus_score(replies, [references], n_bootstrap=1000)
    assert ours.value == pytest.approx(theirs.score)
    assert (ours.high - ours.low) / 2 == pytest.approx(theirs._ci, rel=0.1)
    assert (ours.high + ours.low) / 2 == pytest.approx(theirs._mean, abs=0.1 * theirs._ci)


def test_95_of_100_intervals_hold_the_truth() -> None:
    random = np.random.default_rng(3)
    truth = PER_TOKEN.of(scores(random, 200_000))
    hits = 0
    for seed in range(300):
        found = estimate(scores(random, 60), [PER_TOKEN], seed, num_draws=300)["nats_per_token"]
        hits += found.low <= truth <= found.high
    assert (
        0.90 <= hits / 300 <= 0.98
    )  # three standard errors, and a percentile interval of 60 is a little narrow


def talk(random: np.random.Generator, count: int) -> tuple[list[list[str]], np.ndarray]:
    """One reply a conversation, words by Zipf's law, some of a topic that the conversation has."""
    shares = 1 / np.arange(1, 3001) ** 1.1
    shares = np.cumsum(shares / shares.sum())
    replies = []
    for _ in range(count):
        length = random.integers(30, 90)
        words = np.searchsorted(shares, random.random(length))
        topic = random.integers(0, 3000, 8)
        words = np.where(random.random(length) < 0.15, topic[random.integers(0, 8, length)], words)
        replies.append([str(word) for word in words])
    return replies, np.arange(count)


def test_distinct_and_entropy_have_intervals_where_counting_anew_has_none() -> None:
    """60 corpora of 60 conversations of one law; the truth is what such corpora have on average."""
    random = np.random.default_rng(4)
    names = ["distinct_1", "entropy_1", "distinct_2", "entropy_2"]
    figures = [figure for figure in VARIETY_FIGURES if figure.name in names]
    ids = list(map(str, range(60)))
    values, intervals, anew = [], [], []
    for seed in range(60):
        replies, conversations = talk(random, 60)
        found = estimate(measure_variety(replies, conversations, ids), figures, seed, num_draws=200)
        values.append([found[name].value for name in names])
        intervals.append([(found[name].low, found[name].high) for name in names])
        if seed < 10:
            counted = []
            for counts in np.concatenate(list(draws(60, 60, seed))).astype(int):
                drawn = [word for reply, times in zip(replies, counts, strict=True) for word in reply * times]
                counted.append(len(set(drawn)) / len(drawn))
            anew.append(np.quantile(counted, [0.025, 0.975]))
    truth, spread = np.mean(values, axis=0), np.std(values, axis=0)
    low, high = np.moveaxis(np.array(intervals), 2, 0)
    covered = ((low <= truth) & (truth <= high)).mean(0)
    assert (covered >= 0.85).all()
    widths = (high - low).mean(0) / (2 * 1.96)
    assert (widths > 0.7 * spread).all() and (widths < 1.5 * spread).all()
    assert not any(low <= truth[0] <= high for low, high in anew)


def test_pairs_are_drawn_together() -> None:
    """A model that is better by the same in each conversation is better for certain, however these vary."""
    one = scores(np.random.default_rng(5), 40)
    tokens = one.column("tokens")
    other = Sums.of(one.ids, {"nats": one.column("nats") + 0.01 * tokens, "tokens": tokens})
    (found,) = compare({"hred": one, "seq2seq": other}, [PER_TOKEN])["nats_per_token"]
    assert (found.one, found.other) == ("hred", "seq2seq")
    assert (found.value, found.low, found.high) == pytest.approx((-0.01, -0.01, -0.01))
    assert found.stands
    alone = estimate(one, [PER_TOKEN])["nats_per_token"]
    assert alone.high - alone.low > 0.1


def test_differences_change_sign_with_the_order_and_none_stands_against_itself() -> None:
    random = np.random.default_rng(6)
    models = {"a": scores(random, 30), "b": scores(random, 30), "c": scores(random, 30, level=5)}
    figures = [PER_TOKEN, perplexity("perplexity", "nats", "tokens")]
    forth = compare(models, figures, seed=7)
    back = compare(dict(reversed(models.items())), figures, seed=7)
    for figure in figures:
        by_pair = {(each.other, each.one): each for each in back[figure.name]}
        for each in forth[figure.name]:
            mirrored = by_pair[each.one, each.other]
            assert (each.value, each.low, each.high) == pytest.approx(
                (-mirrored.value, -mirrored.high, -mirrored.low)
            )
            assert each.stands == mirrored.stands == ("c" in (each.one, each.other))
    (same,) = compare({"a": models["a"], "again": models["a"]}, [PER_TOKEN])["nats_per_token"]
    assert (same.value, same.low, same.high, same.stands) == (0, 0, 0, False)


def test_a_figure_that_a_model_lacks_has_no_pair_with_it() -> None:
    random = np.random.default_rng(8)
    one, other = scores(random, 10), scores(random, 10)
    latent = other.join(Sums.of(other.ids, {"kl": random.random(10)}))
    found = compare({"hred": one, "vhred": latent, "vhcr": latent}, [ratio("kl", "kl", "tokens"), PER_TOKEN])
    assert [(each.one, each.other) for each in found["kl"]] == [("vhred", "vhcr")]
    assert len(found["nats_per_token"]) == 3


@pytest.mark.parametrize(
    "nats", [[4.0], [4.0, math.nan], [4.0, math.inf]], ids=["one conversation", "nan", "infinity"]
)
def test_what_is_not_defined_has_no_interval_and_does_not_stand(nats) -> None:
    ids = [str(number) for number in range(len(nats))]
    sums = Sums.of(ids, {"nats": nats, "tokens": [2.0] * len(nats)})
    found = estimate(sums, [PER_TOKEN])["nats_per_token"]
    assert (found.low, found.high) == (None, None)
    assert found.value == 2 or math.isnan(found.value)
    json.dumps(found.to_json(), allow_nan=False)
    better = Sums.of(ids, {"nats": [1.0] * len(nats), "tokens": [2.0] * len(nats)})
    (difference,) = compare({"a": sums, "b": better}, [PER_TOKEN])["nats_per_token"]
    assert not difference.stands
    json.dumps(difference.to_json(), allow_nan=False)


def test_a_draw_without_what_is_divided_by_leaves_no_interval() -> None:
    sums = Sums.of("ab", {"within": [0.5, 0], "replies": [1, 0]})
    found = estimate(sums, [ratio("within", "within", "replies")])["within"]
    assert (found.value, found.low, found.high) == (0.5, None, None)
    nothing = estimate(Sums.of([], {"nats": [], "tokens": []}), [PER_TOKEN])["nats_per_token"]
    assert math.isnan(nothing.value) and nothing.low is None


def test_different_conversations_are_not_compared() -> None:
    one = scores(np.random.default_rng(9), 5)
    with pytest.raises(UsageError, match="different conversations"):
        compare({"a": one, "b": one.select("01234"[::-1])}, [PER_TOKEN])


def test_thousands_of_conversations_take_no_time() -> None:
    random = np.random.default_rng(10)
    models = {name: scores(random, 5000) for name in "abcd"}
    began = time.process_time()
    compare(models, [PER_TOKEN, perplexity("perplexity", "nats", "tokens")], num_draws=1000)
    assert time.process_time() - began < 10
