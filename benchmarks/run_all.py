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
from wanted import BENCHMARKS, Benchmark, Wanted

_HERE = Path(__file__).parent


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
