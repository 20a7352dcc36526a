"""What Prometheus reads of a server: replies, tokens, durations, queues, models, the store's failures.

Every reply of this process counts, whoever asked for it, on the page or over HTTP. The registry is the server's
own: nothing of another library's gets into it.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.bots import Bots
from app.store.failures import num_failures
from dialog.decoding.replies import Reply

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The figures of one server.

    Args:
        bots: whose replies are counted from here on.
    """

    def __init__(self, bots: Bots) -> None:
        self._registry = CollectorRegistry()
        self._replies = Counter(
            "hred_replies", "Replies that have ended.", ["model", "ended"], registry=self._registry
        )
        self._tokens = Counter(
            "hred_reply_tokens", "Tokens of these replies.", ["model"], registry=self._registry
        )
        self._seconds = Histogram(
            "hred_reply_seconds",
            "Seconds from the request to the end of a reply.",
            ["model"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_Now(bots))
        bots.listen(self._count)

    def text(self) -> bytes:
        """Returns the figures as Prometheus reads them."""
        return generate_latest(self._registry)

    def _count(self, model: str, reply: Reply, seconds: float) -> None:
        self._replies.labels(model, reply.ended).inc()
        self._tokens.labels(model).inc(len(reply.tokens))
        self._seconds.labels(model).observe(seconds)


class _Now(Collector):
    """What is looked up when it is asked for."""

    def __init__(self, bots: Bots) -> None:
        self._bots = bots

    def collect(self) -> Iterator[Metric]:
        """Yields the figures of this moment."""
        loaded = self._bots.loaded()
        is_loaded = GaugeMetricFamily("hred_model_loaded", "1 for a model that is loaded.", labels=["model"])
        waiting = GaugeMetricFamily(
            "hred_requests_waiting", "Requests of which no reply is decoded yet.", labels=["model"]
        )
        running = GaugeMetricFamily(
            "hred_replies_running", "Replies that are being decoded.", labels=["model"]
        )
        for name in self._bots.names:
            engine = loaded.get(name)
            is_loaded.add_metric([name], float(engine is not None))
            if engine is not None:
                waiting.add_metric([name], engine.num_waiting)
                running.add_metric([name], engine.num_running)
        yield from (is_loaded, waiting, running)
        yield CounterMetricFamily(
            "hred_store_failures", "What the database could not do when it was asked.", value=num_failures()
        )
