"""Runs every benchmark and writes one table: `make bench`.

    python benchmarks/run_all.py --corpus CORPUS [--quick] [--only NAME...] [--out docs/benchmarks.md]

Each benchmark runs by itself, one after the other, and ends with one line of JSON (`figures.print_result`).
A row of the table names the figure, what the machine could do in the same run, what is wanted, and whether
it was reached. A benchmark that fails is a row, too, and the command exits with 1.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

_HERE = Path(__file__).parent
_SHIPPED = [str(_HERE.parent / "data" / "models" / name) for name in ("seq2seq", "hred", "vhred")]


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
        [Wanted(".*", "the store with a million messages, 95th percentile", "value", most=50.0)],
    ),
    Benchmark(
        "startup",
        ["startup.py"],
        [],
        [Wanted(".*", "starting", "value")],
    ),
]


@dataclass(frozen=True, slots=True)
class _Row:
    what: str
    figure: str
    limit: str
    share: str
    wanted: str
    reached: bool | None

    def text(self) -> str:
        reached = {True: "yes", False: "**no**", None: ""}[self.reached]
        return f"| {self.what} | {self.figure} | {self.limit} | {self.share} | {self.wanted} | {reached} |"


def main() -> int:
    """Runs the benchmarks and writes the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, help="a prepared corpus; made-up conversations without one")
    parser.add_argument("--quick", action="store_true", help="few repeats: a try, no figures to keep")
    parser.add_argument("--only", nargs="+", choices=[each.name for each in BENCHMARKS])
    parser.add_argument("--out", type=Path, default=_HERE.parent / "docs" / "benchmarks.md")
    arguments = parser.parse_args()
    chosen = [each for each in BENCHMARKS if not arguments.only or each.name in arguments.only]
    start, rows, has_failed = time.monotonic(), [], False
    for benchmark in chosen:
        outcome = _run(benchmark, arguments.corpus, arguments.quick)
        has_failed |= outcome is None
        rows += _rows(benchmark, outcome)
    text = _page(rows, arguments, time.monotonic() - start)
    arguments.out.write_text(text, encoding="utf-8")
    print(f"\n{text}\nwritten to {arguments.out}")
    return int(has_failed)


def _run(benchmark: Benchmark, corpus: Path | None, is_quick: bool) -> dict[str, Any] | None:
    """Returns what the benchmark's last line says, or None if it failed; its output is shown as it comes."""
    further = benchmark.quick if is_quick else ()
    given = [*benchmark.command, *further]
    arguments = [str(corpus) if part == "CORPUS" else part for part in given if part != "CORPUS" or corpus]
    print(f"\n== {benchmark.name}: python benchmarks/{' '.join(arguments)}", flush=True)
    command = [sys.executable, str(_HERE / arguments[0]), *arguments[1:]]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip():
                last = line
            if not line.startswith("{"):
                print(line, end="", flush=True)
    try:
        outcome: dict[str, Any] = json.loads(last)
    except ValueError:
        return None
    return outcome if process.returncode == 0 else None


def _rows(benchmark: Benchmark, outcome: dict[str, Any] | None) -> list[_Row]:
    if outcome is None:
        return [_Row(f"{benchmark.name} failed; its output says why", "", "", "", "", False)]
    rows = []
    for wanted in benchmark.wanted:
        found = [each for each in outcome["results"] if re.fullmatch(wanted.name, each["name"])]
        if not found:
            rows.append(_Row(f"{wanted.what}: not measured", "", "", "", _bound(wanted), False))
        rows += [_row(wanted, result, outcome["limit"], len(found) > 1) for result in found]
    return rows


def _row(wanted: Wanted, result: dict[str, Any], limit: Any, is_one_of_several: bool) -> _Row:
    value = result[wanted.field]
    unit = result["unit"]
    named = f"{wanted.what}: {result['name']}" if is_one_of_several else wanted.what
    reached = None
    if wanted.least is not None:
        reached = value >= wanted.least
    elif wanted.most is not None:
        reached = value <= wanted.most
    share = value if wanted.field.startswith("share") else result.get("share_of_limit")
    return _Row(
        named,
        f"{_number(result['value'])} {unit}",
        _limit(wanted, result, limit),
        "" if share is None else f"{share:.2f}",
        _bound(wanted),
        reached,
    )


def _limit(wanted: Wanted, result: dict[str, Any], of_all: Any) -> str:
    """The result's own limit, or that of all results where a share of it is told."""
    if wanted.limit in result:
        return f"{_number(result[wanted.limit])} {result.get('limit_unit', result['unit'])}"
    if "share_of_limit" not in result:
        return ""
    shared = of_all if isinstance(of_all, dict) else {"value": of_all, "unit": result["unit"]}
    return f"{_number(shared['value'])} {shared['unit']}"


def _bound(wanted: Wanted) -> str:
    what = "share " if wanted.field.startswith("share") else ""
    if wanted.least is not None:
        return f"{what}≥ {wanted.least:g}"
    return "" if wanted.most is None else f"{what}≤ {wanted.most:g}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _page(rows: Sequence[_Row], arguments: argparse.Namespace, seconds: float) -> str:
    head = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=_HERE, capture_output=True, text=True, check=False
    )
    corpus = f"--corpus {arguments.corpus.name}" if arguments.corpus else ""
    only = f"--only {' '.join(arguments.only)}" if arguments.only else ""
    options = " ".join(part for part in (corpus, "--quick" * arguments.quick, only) if part)
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Printed by `make bench`; what each figure is, and how it is measured, says "
            "[benchmarks/README.md](../benchmarks/README.md). The limit is what the machine did in the same",
            "run: other machines, and the same one at another hour, have others, so that only shares compare.",
            "",
            f"- when: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds / 60:.0f} minutes, options "
            f"`{options or 'none'}`",
            f"- code: {head.stdout.strip() or 'not in a git repository'}",
            f"- machine: {_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB, torch "
            f"{torch.__version__}, Python {platform.python_version()}, {torch.get_num_threads()} threads",
            f"- load when it ended: {os.getloadavg()[0]:.1f} (one minute's average)",
            "",
            "| what | figure | limit of the same run | share | wanted | reached |",
            "|---|---|---|---|---|---|",
            *(row.text() for row in rows),
            "",
        ]
    )


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


if __name__ == "__main__":
    sys.exit(main())
