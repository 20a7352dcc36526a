"""A map over processes that keeps the order and never holds more than a few tasks at once."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from dialog.errors import ProcessKilledError

__all__ = ["OrderedPool", "open_pool"]

Task = TypeVar("Task")
Result = TypeVar("Result")


class OrderedPool:
    """Runs a function over tasks; results come in the order of the tasks, whatever the number of workers."""

    def __init__(self, executor: ProcessPoolExecutor | None, num_workers: int) -> None:
        self._executor = executor
        self._most_waiting = 2 * num_workers

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yields `function(task)` for each task; at most two tasks a worker are taken ahead.

        Raises:
            ProcessKilledError: a worker was killed, most likely for want of memory.
        """
        if self._executor is None:
            yield from map(function, tasks)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(self._executor.submit(function, task))
                if len(waiting) >= self._most_waiting:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise ProcessKilledError(
                "a worker process was killed, most likely for want of memory, or could not start: try again "
                "with --workers 1 or a smaller --max-line-mib"
            ) from error


@contextmanager
def open_pool(num_workers: int) -> Iterator[OrderedPool]:
    """Starts `num_workers` processes; with 1 the work is done in this one."""
    if num_workers <= 1:
        yield OrderedPool(None, 1)
        return
    executor = ProcessPoolExecutor(
        num_workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        yield OrderedPool(executor, num_workers)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Ctrl-C goes to all processes of a terminal, and only the parent answers it; its death ends the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
