"""How much one person may ask for: a bucket of tokens, filled at a steady rate, one taken a request.

The buckets are in the memory of one server: with n servers behind a proxy that pins nobody, a person may ask n times
as much. What is waiting at once is bounded besides by Gradio's queue and by each engine's.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from app.access.asgi import READING, App, Receive, Scope, Send
from app.access.rules import Rules
from app.access.texts import Text, tell

__all__ = ["Buckets", "RateLimit"]

_MAX_OWNERS = 20_000
_TOO_MANY = Text(
    "you ask more often than {rate:g} times a second over a long time; wait {seconds} s and try again",
    "要求が多すぎます(長い時間の平均で1秒に {rate:g} 回まで)。{seconds} 秒待ってから、もう一度試してください。",
)


class Buckets:
    """A bucket for each owner; the one that was used longest ago is forgotten, and is full when it comes again.

    Args:
        rate: tokens a second that a bucket gains.
        size: tokens that it holds at most.
        clock: seconds, never going back.
    """

    def __init__(self, rate: float, size: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._size, self._clock = rate, size, clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, owner: str) -> float:
        """Takes a token; returns 0, or the seconds until there is one, and then takes none."""
        now = self._clock()
        with self._lock:
            level, then = self._levels.pop(owner, (self._size, now))
            level = min(self._size, level + (now - then) * self._rate)
            wait = 0.0 if level >= 1 else (1 - level) / self._rate
            self._levels[owner] = (level - 1 if not wait else level, now)
            if len(self._levels) > _MAX_OWNERS:
                self._levels.popitem(last=False)
        return wait


class RateLimit:
    """Refuses what an owner sends too often; only what may change or cost something counts.

    Args:
        inner: what sees the others.
        rules: how often.
    """

    def __init__(self, inner: App, rules: Rules) -> None:
        self._inner, self._rate = inner, rules.requests_per_second
        self._buckets = Buckets(rules.requests_per_second, rules.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        owner = scope["state"]["owner"]
        wait = 0.0 if owner is None or scope["method"] in READING else self._buckets.take(owner)
        if wait:
            seconds = math.ceil(wait)
            retry = (("retry-after", str(seconds)),)
            await tell(scope, send, 429, _TOO_MANY, retry, rate=self._rate, seconds=seconds)
        else:
            await self._inner(scope, receive, send)
