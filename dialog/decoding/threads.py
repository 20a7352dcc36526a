"""How the threads of matrix products wait for each other.

OpenMP's threads wait by spinning, which saves some microseconds a product where each has a processor to itself.
While replies are decoded it has not: the server's event loop, its clients, the browser and NumPy's own threads
want the processors too, and a step that takes 100 microseconds then waits for a thread that the system has
put aside. Measured on two processors (`benchmarks/serving.py`): docs/serving.md.

No torch is imported here: OpenMP reads the environment when torch is first imported.
"""

import os

__all__ = ["let_waiting_threads_sleep"]


def let_waiting_threads_sleep() -> None:
    """Makes waiting threads give their processor away; what the environment says already stays."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
