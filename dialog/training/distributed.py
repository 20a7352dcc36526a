"""The processes that train together: what they exchange, and what is known of one that ends.

Gradients are exchanged by DistributedDataParallel. All else goes through `Workers`: figures as float64 on the
CPU, over gloo also where the gradients travel over NCCL, summed in the order of the processes, so that
each process has the same to the last bit.

A process that ends closes its connections, and the next exchange fails in those that are left. They call
the roll in the launcher's key-value store: who is left, who said why it ended, and who is silent. The first
that is left speaks for all and writes the checkpoint.
"""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import Accelerator
from torch import Tensor
from torch import distributed as dist
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from dialog.errors import WorkerLostError

__all__ = ["EXCHANGE_TIMEOUT", "Workers"]

EXCHANGE_TIMEOUT = timedelta(minutes=30)
"""How long an exchange may take before the others count as lost; a validation of process 0 is waited for."""
_ROLL_CALL_SECONDS = 5.0
_STORE_TIMEOUT = timedelta(seconds=10)


class Workers:
    """All processes of a training, as one of them sees them; a training of one process needs no arguments.

    Args:
        rank: of this process, from 0.
        count: of all.
        group: what figures are exchanged over; None for one process.
        store: the launcher's key-value store; None for one process.
    """

    def __init__(
        self,
        rank: int = 0,
        count: int = 1,
        group: dist.ProcessGroup | None = None,
        store: Store | None = None,
    ) -> None:
        self.rank, self.count = rank, count
        self._group, self._store = group, store
        if store is not None:
            store.set(f"place/{rank}", f"{os.getpid()} {socket.gethostname()}")

    @classmethod
    def of(cls, accelerator: Accelerator) -> "Workers":
        """Returns the processes that `accelerator` has joined."""
        count, rank = accelerator.num_processes, accelerator.process_index
        if count == 1:
            return cls()
        group = dist.new_group(backend="gloo", timeout=EXCHANGE_TIMEOUT)
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(address, port, is_master=False, timeout=_STORE_TIMEOUT, wait_for_workers=False)
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return cls(rank, count, group, PrefixStore(f"dialog/{attempt}", store))

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and the terminal."""
        return self.rank == 0

    def gather(self, values: Tensor) -> Tensor:
        """Returns the values of all processes, (process, value), of values (value,) on the CPU.

        Raises:
            WorkerLostError: another process has ended; so for all that exchanges.
        """
        if self._group is None:
            return values[None]
        rows = [torch.empty_like(values) for _ in range(self.count)]
        with self.watch():
            dist.all_gather(rows, values, group=self._group)
        return torch.stack(rows)

    def sum(self, values: Tensor) -> Tensor:
        """Returns the sums over all processes, (value,), of values (value,) on the CPU."""
        return self.gather(values).sum(0)

    def any(self, wish: bool) -> bool:
        """Returns whether some process has the wish."""
        return bool(self.sum(torch.tensor([float(wish)])) > 0)

    def from_first(self, values: Sequence[float]) -> list[float]:
        """Returns what process 0 gave; the others give as many values."""
        row: list[float] = self.gather(torch.tensor(values, dtype=torch.float64))[0].tolist()
        return row

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Turns the failure of an exchange into a `WorkerLostError`."""
        try:
            yield
        except RuntimeError as error:
            if self._store is None or not _is_of_an_exchange(error):
                raise
            raise self._call_roll(error) from error

    def tell(self, error: BaseException) -> None:
        """Leaves word of why this process ends, for those that are left."""
        if self._store is not None:
            reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no more said'}"
            try:
                self._store.set(f"ended/{self.rank}", reason)
            except RuntimeError:
                return  # nobody is left to be told

    def close(self) -> None:
        """Waits for all to come to their end, and leaves them."""
        if self._group is not None:
            self.any(False)
            dist.destroy_process_group()

    def _call_roll(self, error: RuntimeError) -> WorkerLostError:
        try:
            ended, silent, left = self._roll()
        except RuntimeError:
            first = os.environ.get("LOCAL_RANK", "0") == "0"
            return WorkerLostError("process 0 or its launcher ended without a word", speaks=first)
        # Process 0 has said on its own terminal why it ended.
        chosen = self.rank == min(left) and 0 not in ended
        if ended:
            number, reason = next(iter(ended.items()))
            return WorkerLostError(f"{self._name(number)} ended ({reason})", chosen, chosen)
        if silent:
            words = "ended without a word, as a kill or a lack of memory does it"
            return WorkerLostError(f"{self._name(silent[0])} {words}", chosen, chosen)
        reason = str(error).splitlines()[0]
        return WorkerLostError(f"the processes have lost each other ({reason})", chosen, chosen)

    def _roll(self) -> tuple[dict[int, str], list[int], list[int]]:
        """Returns who told why it ended, who is silent, and who is left, this process among them."""
        assert self._store is not None
        self._store.set(f"left/{self.rank}", "")
        ended, left, deadline = dict[int, str](), {self.rank}, time.monotonic() + _ROLL_CALL_SECONDS
        while True:
            for number in range(self.count):
                if self._store.check([f"ended/{number}"]):
                    ended[number] = self._store.get(f"ended/{number}").decode()
                elif self._store.check([f"left/{number}"]):
                    left.add(number)
            silent = [number for number in range(self.count) if number not in left and number not in ended]
            if all(map(self._is_gone, silent)) or time.monotonic() > deadline:
                return ended, silent, sorted(left)
            time.sleep(0.05)

    def _is_gone(self, number: int) -> bool:
        """Whether a process is known to be no more; of another machine's nothing is known."""
        assert self._store is not None
        process, host = self._store.get(f"place/{number}").decode().split(" ", 1)
        if host != socket.gethostname():
            return False
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def _name(self, number: int) -> str:
        assert self._store is not None
        process, host = self._store.get(f"place/{number}").decode().split(" ", 1)
        return f"process {number} (id {process} on {host})"


def _is_of_an_exchange(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()
