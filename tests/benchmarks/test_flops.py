"""The benchmark's arithmetic against a count by hand: a figure beside a limit is worth what its count is."""

import sys
from pathlib import Path

import numpy as np
import pytest

from dialog.models.registry import build_model
from dialog.text.batches import Batch, Window, collate

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from flops import (
    Counts,
    bound_multiply_adds,
    bound_operations,
    count_batch,
    multiply_adds,
    training_operations,
)

SIZES = {"vocab_size": 11, "embedding_size": 3, "hidden_size": 4, "max_utterance_tokens": 4}


@pytest.fixture
def batch() -> Batch:
    """Utterances of 2, 6 and 3 tokens, ends counted, the last two scored; then one of 2 and one of 4."""
    lengths = [[1, 5, 2], [1, 3]]
    windows = [Window([np.full(n, 5, np.int32) for n in row], np.arange(len(row)) > 0) for row in lengths]
    return collate(windows)


def test_counts_take_real_tokens_only_and_what_is_read_only(batch: Batch) -> None:
    hred = build_model("hred", {**SIZES, "context_size": 5})
    # Read: 2, then 6 of which the limit of 4 leaves 4, then 2; each is also what the next turn looks at.
    assert count_batch(hred, batch) == Counts(8, 3, 8, 3, 6 + 3 + 4, 6 * 2 + 3 * 4 + 4 * 2)
    seq2seq = build_model("seq2seq", SIZES)
    assert count_batch(seq2seq, batch) == Counts(8, 0, 8, 3, 13, 32)
    vhred = build_model("vhred", {**SIZES, "context_size": 5, "latent_size": 2, "latent_hidden_size": 6})
    assert count_batch(vhred, batch) == Counts(2 + 4 + 3 + 2 + 4, 3, 8, 3, 13, 32)


def test_products_by_hand(batch: Batch) -> None:
    vhred = build_model("vhred", {**SIZES, "context_size": 5, "latent_size": 2, "latent_hidden_size": 6})
    by_hand = {
        "encoder": 15 * 2 * (3 * 2 * 3 + 3 * 2 * 2),  # two directions of 2 numbers, embedding 3
        "context": 3 * (3 * 5 * 4 + 3 * 5 * 5),
        "latent": 3 * ((5 * 6 + 6 * 6 + 2 * 6 * 2) + ((5 + 4) * 6 + 6 * 6 + 2 * 6 * 2)),
        "start": 3 * (7 * 4 + 7 * 3 * 4),
        "decoder": 13 * (3 * 4 * 3 + 3 * 4 * 4),
        "attention": 8 * 4 * 4 + 32 * (4 + 4) + 13 * (8 * 3),
        "output": 13 * 3 * 11,
    }
    assert multiply_adds(vhred, count_batch(vhred, batch)) == by_hand
    assert training_operations(vhred, batch) == 6 * sum(by_hand.values())


def test_seq2seq_has_no_context_and_no_constant_input(batch: Batch) -> None:
    model = build_model("seq2seq", SIZES)
    counted = multiply_adds(model, count_batch(model, batch))
    assert (counted["context"], counted["latent"], counted["start"]) == (0, 0, 3 * 4 * 4)


def test_padding_does_not_count(batch: Batch) -> None:
    model = build_model("hred", {**SIZES, "context_size": 5})
    longer = Window([np.full(n, 5, np.int32) for n in (60, 60)], np.array([False, True]))
    windows = [Window([np.full(n, 5, np.int32) for n in (1, 1)], np.array([False, True])), longer]
    alone = sum(training_operations(model, collate([window])) for window in windows)
    assert training_operations(model, collate(windows)) == alone


def test_the_bound_counts_once_what_its_samples_share(batch: Batch) -> None:
    vhred = build_model("vhred", {**SIZES, "context_size": 5, "latent_size": 2, "latent_hidden_size": 6})
    counts = count_batch(vhred, batch)
    once = multiply_adds(vhred, counts)
    for samples in (1, 7):
        by_hand = {
            **{name: once[name] for name in ("encoder", "context", "latent")},
            "start": 3 * (5 * 4 + 5 * 12) + samples * 3 * (2 * 4 + 2 * 12),
            "decoder": 13 * 12 * 3 + samples * 13 * 12 * 4,
            "attention": 8 * (4 * 4 + 4 * 3) + samples * (32 * (4 + 3) + 13 * 4 * 3),
            "output": samples * 13 * 3 * 11,
        }
        assert bound_multiply_adds(vhred, counts, samples) == by_hand
        assert bound_operations(vhred, batch, samples) == 2 * sum(by_hand.values())
    whole = sum(once.values())  # of one sample, in the order that a forward pass takes
    assert sum(bound_multiply_adds(vhred, counts, 1).values()) <= whole


@pytest.mark.parametrize(
    ("cell", "gates", "started"), [("lstm", 4, 2), ("rnn_tanh", 1, 1), ("gru_reset_before", 3, 1)]
)
def test_another_cell_has_other_gates(batch: Batch, cell: str, gates: int, started: int) -> None:
    cells = {f"{part}_cell": cell for part in ("encoder", "context", "decoder")}
    gru = build_model("hred", {**SIZES, "context_size": 5})
    other = build_model("hred", {**SIZES, "context_size": 5, **cells})
    counts = count_batch(gru, batch)
    usual, found = multiply_adds(gru, counts), multiply_adds(other, counts)
    for part in ("encoder", "context", "decoder"):
        assert found[part] * 3 == usual[part] * gates
    assert found["start"] == counts.replies * 5 * (4 * started + gates * 4)
    assert all(found[part] == usual[part] for part in ("latent", "attention", "output"))


@pytest.mark.parametrize("setting", [{"attention_turns": 2}, {"attention": "additive"}, {"time_skips": "2"}])
def test_what_is_not_counted_is_refused(batch: Batch, setting: dict[str, object]) -> None:
    model = build_model("hred", {**SIZES, "context_size": 5, **setting})
    with pytest.raises(ValueError, match=f"{next(iter(setting))}="):
        count_batch(model, batch)
