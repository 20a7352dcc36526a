"""How much of the processor's arithmetic the importance-weighted bound uses, beside a matrix product's.

    python benchmarks/bound_speed.py [CORPUS] [--samples 100] [--hidden 512] [--max-replies N]

CORPUS is a folder that `hred prepare` wrote, its test split is scored; without one, conversations of everyday
lengths are made up. The model is a fresh VHRED. Operations are counted on real tokens, and what the samples
share counts once (`flops.py`). A 2,048 x 2,048 float32 product is timed before and after each batch; a batch's
share is its operations a second over the mean of these two. Batches are smaller than those of `hred evaluate`,
so that there are many of them; the figure is their median.
"""

import argparse
import random
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
from figures import MadeUpSplit, Spread, print_result, seconds_of
from flops import bound_operations

from dialog.corpus.tokenized import TokenizedCorpus
from dialog.evaluation.bound import importance_bound
from dialog.models.base import ReplyModel
from dialog.models.registry import build_model
from dialog.text.batches import Batch
from dialog.text.loader import BatchLoader, EncodedSplit
from dialog.training.memory import keep_freed_memory

_LIMIT_SIZE = 2048
_FACTORS = torch.randn(2, _LIMIT_SIZE, _LIMIT_SIZE)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", nargs="?", type=Path)
    parser.add_argument("--samples", type=int, default=100, help="of each reply")
    parser.add_argument("--hidden", type=int, default=512, help="embedding, hidden and context size")
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--batch-tokens", type=int, default=512, help="of a batch")
    parser.add_argument("--max-replies", type=int, help="of whole batches, drawn at random; all if not given")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    keep_freed_memory()
    split: EncodedSplit = MadeUpSplit(1000, arguments.vocabulary)
    if arguments.corpus is not None:
        prepared = TokenizedCorpus.open(arguments.corpus)
        split = prepared.split("test")
        if prepared.tokenizer.num_tokens > arguments.vocabulary:
            parser.error(f"the corpus has {prepared.tokenizer.num_tokens} tokens; give --vocabulary")
    print(
        f"{arguments.corpus or 'made-up conversations'}, hidden {arguments.hidden}, {arguments.samples} "
        f"samples a reply, {torch.get_num_threads()} threads"
    )
    _measure(_model(arguments), _batches(split, arguments), arguments)


def _model(arguments: argparse.Namespace) -> ReplyModel:
    names = ("embedding_size", "hidden_size", "context_size")
    sizes = dict.fromkeys(names, arguments.hidden) | {"vocab_size": arguments.vocabulary}
    return build_model("vhred", sizes).eval()


def _batches(split: EncodedSplit, arguments: argparse.Namespace) -> Iterator[Batch]:
    loader = BatchLoader(split, arguments.batch_tokens)
    order = loader.in_order()
    random.Random(1).shuffle(order)
    left = arguments.max_replies or int(split.targets.sum())
    for indices in order:
        batch = loader.batch(indices)
        yield batch
        left -= len(batch.targets)
        if left <= 0:
            break


def _measure(model: ReplyModel, batches: Iterator[Batch], arguments: argparse.Namespace) -> None:
    generator = torch.Generator().manual_seed(1)
    bounds, operations, seconds, tokens = 0.0, [], [], 0
    model.log_weights(next(iter(_batches(MadeUpSplit(20, arguments.vocabulary), arguments))), 10, generator)
    _limit_rate()
    around = [_limit_rate()]
    replies = 0
    for batch in batches:
        operations.append(bound_operations(model, batch, arguments.samples))
        start = time.perf_counter()
        bounds += float(importance_bound(model.log_weights(batch, arguments.samples, generator)).sum())
        seconds.append(time.perf_counter() - start)
        around.append(_limit_rate())
        replies, tokens = replies + len(batch.targets), tokens + batch.num_target_tokens
    rates = [count / taken / 1e9 for count, taken in zip(operations, seconds, strict=True)]
    shares = Spread.of([rate / ((a + b) / 2) for rate, (a, b) in zip(rates, pairwise(around), strict=True)])
    rate, limit = Spread.of(rates), Spread.of(around)
    print(
        f"{replies:,} replies, {tokens:,} target tokens in {sum(seconds):.1f} s, {len(rates)} batches: "
        f"{-bounds / tokens:.3f} nats/token\n"
        f"{replies / sum(seconds):.2f} replies/s  {rate.median:.1f} GFLOP/s  share of the limit {shares.text()}\n"
        f"limit: {_LIMIT_SIZE}x{_LIMIT_SIZE} float32 product, {limit.text(1)} GFLOP/s"
    )
    result = {
        "name": f"bound of {arguments.samples} samples",
        "value": rate.median,
        "unit": "GFLOP/s",
        "share_of_limit": shares.median,
        "share_spread": shares.to_json(),
        "batches": len(rates),
        "replies_per_second": replies / sum(seconds),
    }
    print_result("bound_speed", {"value": limit.median, "unit": "GFLOP/s", **limit.to_json()}, [result])


def _limit_rate() -> float:
    """Returns what a large matrix product reaches now, 10^9 operations a second."""
    seconds = min(seconds_of(lambda: torch.mm(_FACTORS[0], _FACTORS[1])) for _ in range(2))
    return 2 * _LIMIT_SIZE**3 / seconds / 1e9


if __name__ == "__main__":
    main()
