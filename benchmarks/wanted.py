"""The benchmarks that `run_all.py` runs, and the figures that are wanted of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BENCHMARKS", "Benchmark", "Wanted"]

_SHIPPED = [
    str(Path(__file__).parent.parent / "data" / "models" / name) for name in ("seq2seq", "hred", "vhred")
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A figure that one of a benchmark's results must reach.

    Attributes:
        name: a regular expression that the result's whole name matches.
        what: what the figure is called in the table.
        field: of the result, such as `share_of_limit` or `value`.
        least: it must be at least this, or
        most: at most this; None for neither.
        limit: field of the result that holds the limit.
    """

    name: str
    what: str
    field: str
    least: float | None = None
    most: float | None = None
    limit: str = "limit"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A command, and what is wanted of its results.

    Attributes:
        name: what `--only` calls it.
        command: arguments after `python benchmarks/`; CORPUS stands for the prepared corpus.
        quick: further arguments for `--quick`.
        wanted: in the order of the table's rows.
    """

    name: str
    command: Sequence[str]
    quick: Sequence[str]
    wanted: Sequence[Wanted]


_TRAIN = "share of a 2,048² float32 product"
BENCHMARKS = [
    Benchmark(
        "train-512",
        ["train_speed.py", "CORPUS", "--hidden", "512", "--updates", "20"],
        ["--updates", "3"],
        [
            Wanted("seq2seq|hred|vhred", f"training at hidden 512, {_TRAIN}", "share_of_limit", least=0.60),
            Wanted("vhred over hred", "VHRED's target tokens/s over HRED's", "value", least=0.90),
        ],
    ),
    Benchmark(
        "train-256",
        ["train_speed.py", "CORPUS", "--hidden", "256", "--updates", "30"],
        ["--updates", "3"],
        [Wanted("seq2seq|hred|vhred", f"training at hidden 256, {_TRAIN}", "share_of_limit", least=0.45)],
    ),
    Benchmark(
        "cells",
        ["cell_speed.py"],
        ["--rounds", "2"],
        [
            Wanted(".* over torch", "a layer in training, our scan over torch's kernel", "value", least=1.0),
            Wanted("[a-z_]+", "a layer in training", "value"),
        ],
    ),
    Benchmark(
        "bound",
        ["bound_speed.py", "CORPUS", "--samples", "100", "--max-replies", "350"],
        ["--samples", "20", "--max-replies", "60"],
        [
            Wanted(
                "bound of .*",
                f"importance-weighted bound at hidden 512, {_TRAIN}",
                "share_of_limit",
                least=0.65,
            )
        ],
    ),
    Benchmark(
        "reply",
        ["reply_speed.py", *_SHIPPED, "--repeats", "50"],
        ["--repeats", "5"],
        [
            Wanted(
                ".*: reply", "one reply of 20 tokens in a chat, times reading its weights", "value", most=1.5
            ),
            Wanted(".*: tokens", "its tokens alone, times reading their weights", "value"),
            Wanted(".*: late turn", "turn 1,000 over the first full window", "value", most=1.05),
            Wanted(".*: 64 at once", "64 replies at once", "value"),
        ],
    ),
    Benchmark(
        "engine",
        ["engine_speed.py", *_SHIPPED],
        ["--pairs", "2", "--seconds", "1"],
        [
            Wanted(
                ".*chats",
                "engine with 200 chats, over one batch of the same work",
                "share_of_limit",
            ),
            Wanted(
                ".*chats",
                "the same over decoding alone, nothing read",
                "share_of_bare_decoding",
                least=0.8,
                limit="bare_decoding",
            ),
        ],
    ),
    Benchmark(
        "serving",
        ["serving.py", _SHIPPED[1]],
        ["--pairs", "2", "--seconds", "2"],
        [
            Wanted(
                ".*",
                "200 chats over HTTP, over the smaller of the engine and an empty endpoint",
                "share_of_limit",
                least=0.70,
            )
        ],
    ),
    Benchmark(
        "chats",
        ["chats_at_once.py", _SHIPPED[1]],
        ["--messages", "2"],
        [
            Wanted(
                "complete",
                "200 stored chats at once, replies complete of those asked for",
                "share_of_limit",
                least=1.0,
            ),
            Wanted("doubled", "messages that are stored twice", "value", most=0),
            Wanted("rate", "replies a second", "value"),
            Wanted("whole, .*", "seconds to a whole reply", "value"),
        ],
    ),
    Benchmark(
        "page",
        ["page_chats.py", _SHIPPED[1]],
        ["--messages", "2", "--chats", "10"],
        [
            Wanted(
                "complete",
                "50 pages at once, replies complete of those asked for",
                "share_of_limit",
                least=1.0,
            ),
            Wanted("doubled", "messages of theirs that are stored twice", "value", most=0),
            Wanted(
                "rate",
                "replies a second on the pages, over those through `/v1`, not stored",
                "share_of_limit",
            ),
            Wanted("(first sign|whole), .*", "seconds on the page", "value"),
        ],
    ),
    Benchmark(
        "prepare",
        ["prepare_speed.py"],
        ["--megabytes", "20", "--gigabytes", "0", "--rounds", "2"],
        [
            Wanted(
                "prepare", "hred prepare, over SentencePiece's encoding alone", "share_of_limit", least=0.70
            ),
            Wanted("peak memory", "peak memory of hred prepare on a log of 2 GB", "value", most=1.5),
        ],
    ),
    Benchmark(
        "reproducible",
        ["reproducible.py", "--runs", "20", "--hidden", "128", "--updates", "10"],
        ["--runs", "2", "--updates", "5"],
        [
            Wanted(
                "exact: agreement",
                "runs of 20 that end in the same bits, hred train's way",
                "value",
                least=20,
            ),
            Wanted("plain: agreement", "the same without its settings", "value"),
            Wanted("cost", "what the settings cost", "value"),
        ],
    ),
    Benchmark(
        "scaling",
        ["scaling.py"],
        ["--rounds", "2", "--updates", "2", "--batch-tokens", "1024"],
        [Wanted(".*", "training on processes and threads, over what products gain", "share_of_limit")],
    ),
    Benchmark(
        "store",
        ["store.py"],
        ["--messages", "20000", "--repeats", "10"],
        [
            Wanted(
                ".*(opening|listing|searching).*",
                "the store with a million messages, 95th percentile",
                "value",
                most=50.0,
            ),
            Wanted(".*deleting.*", "the store with a million messages, median", "value"),
        ],
    ),
    Benchmark(
        "startup",
        ["startup.py"],
        ["--rounds", "1"],
        [
            Wanted("help", "seconds of `hred --help`", "value", most=0.5),
            Wanted(
                "page usable",
                "seconds from `hred serve` to a message sent in Chromium, over importing gradio and 3 s",
                "share_of_limit",
                most=1.0,
            ),
            Wanted(
                "first answer",
                "the same to its reply, over importing gradio and torch and 6 s",
                "share_of_limit",
                most=1.0,
            ),
        ],
    ),
    Benchmark(
        "memory",
        ["memory.py", _SHIPPED[1]],
        ["--messages", "400", "--first", "200"],
        [
            Wanted(
                "growth of USS",
                "memory of a server after 10,000 messages, above that after 1,000",
                "value",
                most=30.0,
            ),
            Wanted("growth of RSS", "the same with the pages of shared libraries", "value"),
        ],
    ),
]
