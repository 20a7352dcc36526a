"""`hred prepare`: conversation logs in, a tokenizer and a tokenised corpus out.

    1. read, parse, clean, and tokenise where a tokenizer is given    logs → segments (`segments.py`)
    2. find duplicates, train the tokenizer on a sample of the training texts, tokenise the segments
    3. join the segments into the files of the splits, look for conversations that stand in two splits, write
       the manifest, move the folder into place

Workers do the costly part of 1 and 2. What is written is the same for any number of them, for a run that was
stopped and went on, and for parts (`--shard`) that were prepared apart and merged. Memory does not grow with the
logs but for some 20 bytes a conversation, by which duplicates are told.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dialog.corpus.finish import Finish
from dialog.corpus.output import WorkFolder, check_folder, work_folder
from dialog.corpus.plan import PLAN_FILE, Plan, make_plan, read_plan
from dialog.corpus.pool import OrderedPool, open_pool
from dialog.corpus.reading import SegmentReader
from dialog.corpus.settings import Settings
from dialog.corpus.sources import find_sources
from dialog.corpus.tokenized import TOKENIZER_FILE, TokenizedCorpus
from dialog.errors import CorpusError, UsageError
from dialog.text.tokenizer import Tokenizer

__all__ = ["Progress", "Settings", "merge_parts", "prepare_corpus", "prepare_part"]

Progress = Callable[[str, int, int], None]
"""Is told: what is being done, how much of it, of how much."""

_SMALL_LOGS = 4 << 20  # bytes on disk below which starting processes costs more than it saves


def prepare_corpus(settings: Settings, progress: Progress = lambda *_: None) -> TokenizedCorpus:
    """Prepares a corpus; a run that was stopped goes on where it was.

    Returns:
        The corpus, opened.

    Raises:
        UsageError: arguments that cannot be.
        LogError: logs that cannot be read, or with too many bad records; nothing is left behind.
        CorpusError: nothing is left to train on, or the folder cannot be written.
    """
    if settings.shard != (1, 1):
        raise UsageError("a part is no corpus: prepare_part makes it, merge_parts joins all of them")
    _run(settings, progress, _finish)
    return TokenizedCorpus.open(settings.out)


def prepare_part(settings: Settings, progress: Progress = lambda *_: None) -> dict[str, int]:
    """Prepares the part `settings.shard` of a corpus, to be merged with the others.

    Returns:
        The records read and bad, and the conversations kept so far.

    Raises:
        As `prepare_corpus`.
    """
    _run(settings, progress, _make_part)
    records = [_record(path) for path in sorted((settings.out / "segments").glob("*.json"))]
    return {name: sum(record[name] for record in records) for name in ("records", "bad", "rows")}


def merge_parts(settings: Settings, progress: Progress = lambda *_: None) -> TokenizedCorpus:
    """Joins the parts `settings.logs` into a corpus: the bytes that one machine would have made.

    Args:
        settings: `out`, `workers` and `overwrite` are read; all else is as the parts were prepared.
        progress: is told what is done.

    Raises:
        CorpusError: a folder is no part, or parts are missing, of another corpus or there twice.
    """
    parts = [Path(part) for part in settings.logs]
    if not parts:
        raise UsageError("name the parts to merge: the folders that `hred prepare --shard I/N` wrote")
    plan = _common_plan(parts)
    tokenizer = parts[0] / TOKENIZER_FILE if plan.tokenizer is not None else None
    whole = plan.settings_for(settings.out, settings.workers, settings.overwrite, tokenizer)
    try:
        check_folder(whole.out, whole.overwrite)
        with work_folder(whole.out, plan, [part / "segments" for part in parts]) as work:
            num_bytes = sum(file["bytes"] for file in plan.files)
            with open_pool(_num_workers(whole, num_bytes)) as pool:
                if not work.is_finished:
                    _finish(whole, plan, work, pool, progress)
    except OSError as error:
        raise _as_corpus_error(error, whole.out) from error
    return TokenizedCorpus.open(whole.out)


def _common_plan(parts: list[Path]) -> Plan:
    plans = [read_plan(part) for part in parts]
    for part, plan in zip(parts, plans, strict=True):
        if not plan.same_corpus(plans[0]):
            raise CorpusError(
                f"{part} and {parts[0]} are parts of different corpora (other logs, settings or tokenizer): "
                "prepare all parts alike"
            )
    num_parts = plans[0].shard[1]
    found = sorted(plan.shard for plan in plans)
    if found != [(number, num_parts) for number in range(1, num_parts + 1)]:
        names = ", ".join(f"{number}/{of}" for number, of in found)
        raise CorpusError(f"the parts are {names}: give each of the {num_parts} parts once")
    return Plan(**{**plans[0].__dict__, "shard": (1, 1)})


_End = Callable[[Settings, Plan, WorkFolder, OrderedPool, Progress], None]


def _run(settings: Settings, progress: Progress, end: _End) -> None:
    try:
        check_folder(settings.out, settings.overwrite)
        sources = find_sources(
            settings.logs, settings.given, settings.options, settings.split_by, settings.max_line_bytes
        )
        plan, groups = make_plan(settings, sources)
        num_bytes = sum(source.file.num_bytes for source in sources.files)
        with (
            work_folder(settings.out, plan, []) as work,
            open_pool(_num_workers(settings, num_bytes)) as pool,
        ):
            if not work.is_finished:
                if work.is_resumed:
                    progress("Going on where an earlier run stopped", 1, 1)
                SegmentReader(settings, plan, groups, work, pool, progress).run()
                end(settings, plan, work, pool, progress)
    except OSError as error:  # a full disk, a folder that may not be read
        raise _as_corpus_error(error, settings.out) from error


def _finish(settings: Settings, plan: Plan, work: WorkFolder, pool: OrderedPool, progress: Progress) -> None:
    Finish(settings, plan, work, pool, progress).run()
    work.move_into_place()


def _make_part(
    settings: Settings, plan: Plan, work: WorkFolder, pool: OrderedPool, progress: Progress
) -> None:
    if settings.tokenizer_from is not None:
        model = Tokenizer.load(settings.tokenizer_from).model_bytes
        (work.result / TOKENIZER_FILE).write_bytes(model)
    shutil.copy(work.folder / PLAN_FILE, work.result)
    work.store.own.rename(work.result / "segments")
    work.move_into_place()


def _record(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def _num_workers(settings: Settings, num_bytes: int) -> int:
    if settings.workers:
        return settings.workers
    if num_bytes < _SMALL_LOGS:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _as_corpus_error(error: OSError, out: Path) -> CorpusError:
    return CorpusError(f"{error.filename or out}: {error.strerror or error}")
