"""`hred prepare --engine dask`: the parts of a corpus, prepared by the workers of a Dask cluster, then merged.

Dask carries the parts to the workers, watches over them, and gives a part to another worker where one is lost.
Everything else is `prepare_part` and `merge_parts`: the bytes are those of one machine. Logs and the folder beside
`--out` must be in reach of every worker under the same names.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dialog.corpus.output import check_folder
from dialog.corpus.plan import PLAN_FILE, make_plan, read_plan
from dialog.corpus.prepare import merge_parts, prepare_part
from dialog.corpus.settings import Settings
from dialog.corpus.sources import find_sources
from dialog.corpus.tokenized import TokenizedCorpus
from dialog.errors import DialogError, ProcessKilledError, UsageError

__all__ = ["prepare_on_dask"]

_RETRIES = 2  # of a part whose worker was lost


def prepare_on_dask(
    settings: Settings, scheduler: str | None, progress: Callable[[str, int, int], None] = lambda *_: None
) -> TokenizedCorpus:
    """Prepares a corpus on a Dask cluster, one part a worker; a run that was stopped goes on.

    Args:
        settings: of the corpus; `workers` is the number of parts, 0 for one a worker that is there.
        scheduler: the address of a cluster's scheduler; None starts `workers` processes on this machine.
        progress: is told what is done.

    Raises:
        UsageError: Dask is not installed, or the scheduler does not answer.
        ProcessKilledError: a part's worker was lost again and again.
        As `prepare_corpus`.
    """
    check_folder(settings.out, settings.overwrite)
    with _client(settings, scheduler) as client:
        num_parts = settings.workers or len(client.scheduler_info(n_workers=-1)["workers"]) or 1
        folder = settings.out.resolve().with_name(f".{settings.out.resolve().name}.parts")
        parts = [
            replace(settings, out=folder / str(number), shard=(number, num_parts), workers=1)
            for number in range(1, num_parts + 1)
        ]
        try:
            to_do = [part for part in parts if not _is_done(part)]
            _prepare(client, to_do, num_parts, progress)
        except DialogError as error:
            if not isinstance(error, ProcessKilledError):
                shutil.rmtree(folder, ignore_errors=True)
            raise
    corpus = merge_parts(replace(settings, logs=[part.out for part in parts], workers=0), progress)
    shutil.rmtree(folder, ignore_errors=True)
    return corpus


def _client(settings: Settings, scheduler: str | None) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            "--engine dask needs Dask: install it with `pip install 'dialog[dask]'`, here and on all workers"
        ) from error
    try:
        if scheduler is not None:
            return Client(scheduler, timeout=30)
        return Client(n_workers=settings.workers or None, threads_per_worker=1, dashboard_address=None)
    except (OSError, ValueError) as error:
        raise UsageError(f"no scheduler of Dask answers at {scheduler}: check --scheduler") from error


def _is_done(part: Settings) -> bool:
    """Whether an earlier run prepared this part; another one's is removed."""
    if not (part.out / PLAN_FILE).exists():
        return False
    sources = find_sources(part.logs, part.given, part.options, part.split_by, part.max_line_bytes)
    if read_plan(part.out) == make_plan(part, sources)[0]:
        return True
    shutil.rmtree(part.out)
    return False


def _prepare(
    client: Any, parts: list[Settings], num_parts: int, progress: Callable[[str, int, int], None]
) -> None:
    from distributed import KilledWorker, as_completed

    futures = client.map(_prepare_part, parts, pure=False, retries=_RETRIES)
    done = num_parts - len(parts)
    progress("Preparing the parts", done, num_parts)
    try:
        for future in as_completed(futures):
            error = future.result()
            if error is not None:
                raise error
            done += 1
            progress("Preparing the parts", done, num_parts)
    except KilledWorker as killed:
        raise ProcessKilledError(
            "a worker of the cluster was killed again and again, most likely for want of memory: give its workers "
            "more, and the same command goes on"
        ) from killed


def _prepare_part(settings: Settings) -> DialogError | None:
    """What a worker does; an error that another worker would meet as well is given back, not raised."""
    # A worker that was lost may have ended its part before it could say so.
    if not (settings.out / PLAN_FILE).exists():
        try:
            prepare_part(settings)
        except DialogError as error:
            return error
    return None
