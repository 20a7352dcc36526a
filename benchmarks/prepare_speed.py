"""How fast and in how much memory `hred prepare` works, beside SentencePiece alone on the same texts.

    python benchmarks/prepare_speed.py [--megabytes 300] [--gigabytes 2] [--rounds 3] [--logs LOG...]

Conversations of made-up words (Zipf's law, 8 turns of 12 words on average) are written as JSON Lines, or
`--logs` names logs of your own. In each round, on a log of `--megabytes`:

    limit      SentencePiece encodes the texts of the same logs, in as many processes as there are cores; only its
               own calls are timed, texts in lists of 1,000 as it takes them fastest
    prepare    the command `hred prepare --tokenizer-from`, from its start to its end: reading, cleaning,
               encoding, duplicates, writing; the tokenizer is there already

and at the end, once, on a log of `--gigabytes` (all are deleted afterwards):

    memory     the largest sum of the resident memory of the command and its processes, looked at 20 times a second;
               pages that several of them share count for each

Both rates are in megabytes of text (UTF-8, of the utterances alone, no JSON) a second.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from figures import Spread, print_result, words

from dialog.corpus.prepare import prepare_corpus
from dialog.corpus.settings import Settings

_CORES = len(os.sched_getaffinity(0))
_TEXTS_A_CALL = 1_000
_TRAINING_BYTES = 20_000_000


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--megabytes", type=int, default=300, help="of the log that the rates are measured on"
    )
    parser.add_argument(
        "--gigabytes", type=float, default=2.0, help="of the log that the memory is measured on; 0 for none"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of limit and prepare in turn, 2 or more")
    parser.add_argument("--logs", type=Path, nargs="+", help="JSON Lines to prepare instead of made-up ones")
    parser.add_argument("--folder", type=Path, help="where temporary files go; four times the log's size")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        logs: list[Path] = arguments.logs or [
            write_log(folder / "log.jsonl", arguments.megabytes * 1_000_000)
        ]
        tokenizer = _train(logs, folder)
        text_bytes = sum(len(text.encode()) for log in logs for text in _texts(log))
        log_bytes = sum(log.stat().st_size for log in logs)
        print(f"{log_bytes / 1e6:,.0f} MB of logs with {text_bytes / 1e6:,.0f} MB of text, {_CORES} cores")
        limits, rates, shares, peaks = [], [], [], []
        for _ in range(arguments.rounds):
            limits.append(text_bytes / 1e6 / _limit_seconds(logs, tokenizer))
            seconds, peak = _prepare(logs, tokenizer, folder / "corpus")
            rates.append(text_bytes / 1e6 / seconds)
            shares.append(rates[-1] / limits[-1])
            peaks.append(peak / 1e9)
            print(f"limit {limits[-1]:.2f} MB/s  prepare {rates[-1]:.2f} MB/s  peak {peaks[-1]:.2f} GB")
        peak_log = log_bytes
        if arguments.gigabytes and not arguments.logs:
            peak_log = int(arguments.gigabytes * 1e9)
            large = write_log(folder / "large.jsonl", peak_log, seed=2)
            peaks = [_prepare([large], tokenizer, folder / "corpus")[1] / 1e9]
    _report(limits, rates, shares, peaks, peak_log)


def _report(
    limits: list[float], rates: list[float], shares: list[float], peaks: list[float], log_bytes: int
) -> None:
    limit, rate, share = Spread.of(limits), Spread.of(rates), Spread.of(shares)
    print(f"limit: SentencePiece alone, {limit.text(2)} MB of text/s")
    print(f"hred prepare: {rate.text(2)} MB of text/s, share of the limit {share.text()}")
    print(f"peak memory on a log of {log_bytes / 1e9:.2f} GB: {max(peaks):.2f} GB")
    results: list[dict[str, Any]] = [
        {
            "name": "prepare",
            "value": rate.median,
            "unit": "MB of text/s",
            "share_of_limit": share.median,
            "share_spread": share.to_json(),
        },
        {"name": "peak memory", "value": max(peaks), "unit": "GB", "log_gigabytes": log_bytes / 1e9},
    ]
    print_result("prepare_speed", {"value": limit.median, "unit": "MB of text/s", **limit.to_json()}, results)


def write_log(path: Path, num_bytes: int, seed: int = 1) -> Path:
    """Writes made-up conversations as JSON Lines until the file has `num_bytes`."""
    draw = random.Random(seed)
    drawn = _drawn_words(seed)
    written = 0
    with path.open("w", encoding="utf-8") as stream:
        for number in itertools.count():
            turns = []
            for place in range(draw.randint(2, 14)):
                said = " ".join(itertools.islice(drawn, draw.randint(2, 22)))
                turns.append({"speaker": "AB"[place % 2], "text": said.capitalize() + draw.choice(".?!")})
            line = json.dumps({"id": f"made-{number}", "turns": turns}) + "\n"
            written += stream.write(line)
            if written >= num_bytes:
                return path
    raise AssertionError("count() never ends")


def _drawn_words(seed: int) -> Iterator[str]:
    """Yields words without end, the frequent ones often (Zipf's law)."""
    numbers = np.random.default_rng(seed)
    vocabulary = np.array(words(50_000, seed))
    ends = np.cumsum(1 / (np.arange(len(vocabulary)) + 3))
    while True:
        yield from vocabulary[np.searchsorted(ends, numbers.random(100_000) * ends[-1])].tolist()


def _texts(log: Path) -> Iterator[str]:
    with log.open(encoding="utf-8") as stream:
        for line in stream:
            yield from (turn["text"] for turn in json.loads(line)["turns"])


def _train(logs: list[Path], folder: Path) -> Path:
    """Trains the tokenizer that all use, on the beginning of the first log."""
    beginning = folder / "beginning.jsonl"
    with logs[0].open(encoding="utf-8") as stream:
        beginning.write_text("".join(stream.readlines(_TRAINING_BYTES)), encoding="utf-8")
    prepare_corpus(Settings(out=folder / "first", logs=[beginning]))
    shutil.copy(folder / "first" / "tokenizer.model", folder)
    return folder / "tokenizer.model"


def _limit_seconds(logs: list[Path], tokenizer: Path) -> float:
    """Returns the seconds of the slowest of the processes that share the texts."""
    with multiprocessing.get_context("spawn").Pool(_CORES) as pool:
        tasks = [(logs, tokenizer, part) for part in range(_CORES)]
        return max(pool.map(_encode_part, tasks, chunksize=1))


def _encode_part(task: tuple[list[Path], Path, int]) -> float:
    """Encodes every `_CORES`-th list of texts; returns the seconds spent in SentencePiece."""
    logs, tokenizer, part = task
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    seconds = 0.0
    texts = itertools.chain.from_iterable(map(_texts, logs))
    for number in itertools.count():
        some = list(itertools.islice(texts, _TEXTS_A_CALL))
        if not some:
            return seconds
        if number % _CORES == part:
            start = time.perf_counter()
            processor.encode(some, out_type=int, num_threads=1)
            seconds += time.perf_counter() - start
    raise AssertionError("count() never ends")


def _prepare(logs: list[Path], tokenizer: Path, out: Path) -> tuple[float, int]:
    """Returns the seconds that the command takes and its peak memory in bytes."""
    command = [sys.executable, "-m", "dialog", "prepare", *map(str, logs), "--out", str(out)]
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(
        [*command, "--tokenizer-from", str(tokenizer)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None:
        peak = max(peak, _resident_bytes(process.pid))
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"`{' '.join(command)}` ended with {process.returncode}")
    shutil.rmtree(out)
    return seconds, peak


def _resident_bytes(process: int) -> int:
    """Resident memory of a process and its descendants; 0 for one that has ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (OSError, IndexError):
        return 0
    # Children of other threads do not stand there: the pool starts its processes from the main thread.
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident_bytes(int(child)) for child in children)


if __name__ == "__main__":
    main()
