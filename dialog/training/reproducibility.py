"""The same bits each time: what the arithmetic of training on the CPU depends on, settled and written down.

The same sums in another order end in other last bits. Three things change the order behind one's back:

- MKL's matrix products may choose their code by where a buffer happens to lie in memory. `MKL_CBWR=AUTO`
  forbids that; MKL reads it at its first product, so it is set before torch is imported.
- MKL may use fewer threads than it has; torch forbids that once its number of threads is set.
- Some of torch's kernels add from several threads as they come; `use_deterministic_algorithms` forbids that.

What these cost is measured by `benchmarks/reproducible.py`. On a GPU they are left alone: there a run goes on
from where it stood, but not to the last bit. No torch is imported at the top of this file.
"""

import contextlib
import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["VARIABLES", "Conditions", "changed_conditions", "conditions", "exact_arithmetic", "set_variables"]

VARIABLES = {"MKL_CBWR": "AUTO"}
"""What must stand in the environment before torch is imported. COMPATIBLE is twice as slow and wins nothing
on one machine."""

Conditions = dict[str, str | int]
"""By name, as people call them: a run is the same to the last bit where all of these are."""


def set_variables() -> None:
    """Sets the environment's variables; those that are set already stay as they are."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Makes torch compute the same bits each time, for as long as it is open, and only on the CPU."""
    import torch
    import torch.utils.deterministic

    if torch.cuda.is_available():
        yield
        return
    memory: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), memory.fill_uninitialized_memory
    torch.set_num_threads(torch.get_num_threads())  # this is what forbids MKL to use fewer
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False  # it would cost time and hide nothing here
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        memory.fill_uninitialized_memory = before[1]


def conditions(**more: str | int) -> Conditions:
    """Returns what the last bits of this process's arithmetic depend on, and `more` that the caller knows."""
    import torch

    return {
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "accelerate": version("accelerate"),
        "Python": platform.python_version(),
        "processor": _processor(),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "threads": torch.get_num_threads(),
        "deterministic algorithms": "on" if torch.are_deterministic_algorithms_enabled() else "off",
        **{name: os.environ.get(name, "not set") for name in VARIABLES},
        **more,
    }


def changed_conditions(before: Mapping[str, str | int], now: Mapping[str, str | int]) -> str | None:
    """Returns a sentence that names what is no longer as it was, or None.

    Args:
        before: what the checkpoint was made under; empty if that is not known.
        now: what this process computes under.
    """
    changes = [
        f"{name} {before[name]} then, {now[name]} now"
        for name in now
        if name in before and before[name] != now[name]
    ]
    if not changes:
        return None
    return (
        "this run goes on, but not to the last bit as if it had never stopped, for the checkpoint was made "
        f"under other conditions: {'; '.join(changes)}"
    )


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
