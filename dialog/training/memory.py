"""Memory that training frees stays with the process, so that the next update finds it mapped.

glibc takes each large buffer fresh from the kernel and gives it back when it is freed. Training frees and
takes the same hundreds of megabytes in every update, and each page of them is cleared and mapped anew: a
tenth of an update and more. `keep_freed_memory` keeps them instead.
"""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

# The names and numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -2, -3, -4
_KEPT_BYTES = 2**31 - 1  # mallopt takes an int
_GROWTH_BYTES = 64 * 2**20


def keep_freed_memory() -> bool:
    """Tells glibc to keep freed memory, for the rest of the process; does nothing elsewhere.

    The process then holds what it needed most at once, as it would in training anyway.

    Returns:
        Whether there was a glibc that took the wish.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - other C libraries know no such name
        mallopt = library.mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    kept = mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES) and mallopt(_M_TOP_PAD, _GROWTH_BYTES)
    # Versions that refuse so high a threshold can do without mapped buffers altogether.
    return bool(kept and (mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES) or mallopt(_M_MMAP_MAX, 0)))
