"""How much of the processor's arithmetic training uses: operations a second beside a matrix product's.

    python benchmarks/train_speed.py [CORPUS] [--hidden 512] [--conversations 32] [--updates 20] [--cell lstm]

CORPUS is a folder that `hred prepare` wrote; without one, conversations of everyday lengths are made up.
Updates are those of real training: the loader's batches, dropout, loss, backward, clipping, AdamW. Operations
are counted on real tokens only (`flops.py`). A 2,048 x 2,048 float32 product is timed before and after each
update; an update's share is its operations a second over the mean of these two. What the latent variable
costs is measured apart: HRED and VHRED train on the same batches in turn, and each pair gives one ratio.
"""

import argparse
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from figures import MadeUpSplit, Spread, print_result, seconds_of
from flops import training_operations

from dialog.corpus.tokenized import TokenizedCorpus
from dialog.layers.cells import CELLS
from dialog.models.base import ReplyModel
from dialog.models.registry import build_model
from dialog.text.batches import Batch
from dialog.text.loader import BatchLoader, EncodedSplit
from dialog.training.config import training_config_class
from dialog.training.memory import keep_freed_memory
from dialog.training.objective import objective

_MODELS = ["seq2seq", "hred", "vhred"]
_LIMIT_SIZE = 2048
_WARM_UP = 3


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", nargs="?", type=Path)
    parser.add_argument("--hidden", type=int, default=512, help="embedding, hidden and context size")
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--conversations", type=int, default=32, help="of a batch, at least")
    parser.add_argument("--updates", type=int, default=20, help="that are timed, 2 or more")
    parser.add_argument("--models", nargs="+", default=_MODELS, choices=_MODELS)
    parser.add_argument("--cell", default="gru", choices=CELLS, help="of encoder, context RNN and decoder")
    parser.add_argument("--bag-of-words", action="store_true", help="VHRED with its bag-of-words loss")
    parser.add_argument("--give-memory-back", action="store_true", help="let malloc do as it does by itself")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    if not arguments.give_memory_back:
        keep_freed_memory()
    split: EncodedSplit = MadeUpSplit(5000, arguments.vocabulary)
    if arguments.corpus is not None:
        prepared = TokenizedCorpus.open(arguments.corpus)
        split = prepared.split("train")
        if prepared.tokenizer.num_tokens > arguments.vocabulary:
            parser.error(f"the corpus has {prepared.tokenizer.num_tokens} tokens; give --vocabulary")
    loader = _loader(split, arguments.conversations)
    print(
        f"{arguments.corpus or 'made-up conversations'}, hidden {arguments.hidden}, cell {arguments.cell}, "
        f"{torch.get_num_threads()} threads"
    )
    limits: list[float] = []
    results = [_measure(name, loader, arguments, limits) for name in arguments.models]
    if {"hred", "vhred"} <= set(arguments.models):
        results.append(_compare(loader, arguments))
    limit = Spread.of(limits)
    print(f"limit: {_LIMIT_SIZE}x{_LIMIT_SIZE} float32 product, {limit.text(1)} GFLOP/s")
    print_result("train_speed", {"value": limit.median, "unit": "GFLOP/s", **limit.to_json()}, results)


def _loader(split: EncodedSplit, conversations: int) -> BatchLoader:
    """Makes a loader whose batches have twice `conversations` on average, for long ones come in fewer."""
    tokens = int(split.lengths.sum()) + len(split.lengths)
    return BatchLoader(split, 2 * conversations * tokens // len(split), 32, 8, 64, seed=1)


def _batches(loader: BatchLoader, conversations: int) -> Iterator[Batch]:
    epoch = 0
    while True:
        for indices in loader.epoch(epoch):
            if len(indices) >= conversations:
                yield loader.batch(indices)
        epoch += 1


def _measure(
    name: str, loader: BatchLoader, arguments: argparse.Namespace, limits: list[float]
) -> dict[str, Any]:
    model = _model(name, arguments)
    update = _Update(model)
    batches = _batches(loader, arguments.conversations)
    for _ in range(_WARM_UP):
        update.run(next(batches))
        _limit_rate()
    rates, around, tokens, conversations, seconds = [], [_limit_rate()], 0, 0, 0.0
    for _ in range(arguments.updates):
        batch = next(batches)  # read and laid out before the clock starts
        operations = training_operations(model, batch)
        taken = update.run(batch)
        around.append(_limit_rate())
        rates.append(operations / taken / 1e9)
        tokens, conversations = tokens + batch.num_target_tokens, conversations + batch.num_conversations
        seconds += taken
    limits += around
    shares = Spread.of([rate / ((a + b) / 2) for rate, (a, b) in zip(rates, pairwise(around), strict=True)])
    rate = Spread.of(rates)
    print(
        f"{name:8} {tokens / seconds:8,.0f} target tokens/s  {rate.median:6.1f} GFLOP/s  share of the limit "
        f"{shares.text()}  {conversations / arguments.updates:.0f} conversations a batch"
    )
    return {
        "name": name,
        "value": rate.median,
        "unit": "GFLOP/s",
        "share_of_limit": shares.median,
        "share_spread": shares.to_json(),
        "updates": arguments.updates,
        "target_tokens_per_second": tokens / seconds,
    }


def _model(name: str, arguments: argparse.Namespace) -> ReplyModel:
    settings: dict[str, Any] = {
        "vocab_size": arguments.vocabulary,
        "embedding_size": arguments.hidden,
        "hidden_size": arguments.hidden,
        "encoder_cell": arguments.cell,
        "decoder_cell": arguments.cell,
    }
    if name != "seq2seq":
        settings |= {"context_size": arguments.hidden, "context_cell": arguments.cell}
    if name == "vhred" and arguments.bag_of_words:
        settings["bag_of_words"] = True
    return build_model(name, settings).train()


def _compare(loader: BatchLoader, arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns VHRED's target tokens a second over HRED's, the median over pairs on the same batch."""
    updates = {name: _Update(_model(name, arguments)) for name in ("hred", "vhred")}
    batches = _batches(loader, arguments.conversations)
    ratios = []
    for pair in range(_WARM_UP + arguments.updates):
        batch = next(batches)
        order = ("hred", "vhred") if pair % 2 else ("vhred", "hred")
        taken = {name: updates[name].run(batch) for name in order}
        ratios.append(taken["hred"] / taken["vhred"])
    ratio = Spread.of(ratios[_WARM_UP:])
    print(f"VHRED's target tokens/s over HRED's on the same batches: {ratio.text()}")
    return {
        "name": "vhred over hred",
        "value": ratio.median,
        "unit": "ratio of target tokens/s",
        "limit": 1.0,
        "share_of_limit": ratio.median,
        "share_spread": ratio.to_json(),
    }


class _Update:
    """One update, as `dialog.training.trainer` does it."""

    def __init__(self, model: ReplyModel) -> None:
        self._model = model
        self._config = training_config_class(model.is_latent)()
        self._generator = torch.Generator().manual_seed(1)
        self._optimizer = torch.optim.AdamW(
            model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )

    def run(self, batch: Batch) -> float:
        """Returns the seconds that it took."""
        start = time.perf_counter()
        value = objective(self._model(batch, self._generator), self._config, 1.0)
        self._optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._config.gradient_clip)
        self._optimizer.step()
        return time.perf_counter() - start


_FACTORS = torch.randn(2, _LIMIT_SIZE, _LIMIT_SIZE)


def _limit_rate() -> float:
    """Returns what a large matrix product reaches now, 10^9 operations a second."""
    seconds = min(seconds_of(lambda: torch.mm(_FACTORS[0], _FACTORS[1])) for _ in range(2))
    return 2 * _LIMIT_SIZE**3 / seconds / 1e9


if __name__ == "__main__":
    main()
