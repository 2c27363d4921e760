"""The metrics for Prometheus, at GET /metrics.

Litestar's own middleware is not used: it sees only what routes answer, labels by the path as sent (anyone could make
any number of series), and shares its counts between all applications of a process.

With PROMETHEUS_MULTIPROC_DIR set, as `python -m api` does for several workers, each answer has the sums of all workers.
Series of a process alone (process_*, python_*) are left out then: they would be those of whichever worker answers.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from api.http import page_facts
from api.model.loader import Served
from api.prediction_log.writer import Log
from api.requests.diagnostics import Mistake
from pipeline.contract.description import Training
from pipeline.contract.schema import Schema

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each counter, of no use here

# Seconds: from the fastest answer to one row to the patience of a client.
LATENCY = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# Standard deviations of the training target around its median; training hardly saw what lies beyond.
SPREAD = [step / 2 for step in range(-6, 7)]
# Others are one series: callers must not make any.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# The label of a mistake in a field that the schema does not have: callers must not make series.
NO_COLUMN = "(no column)"


class Distribution(Histogram):
    def observe_all(self, amounts: Sequence[float]) -> None:
        """Observe many amounts, in a tenth of the time that `observe` takes for each."""
        self._sum.inc(sum(amounts))
        buckets = np.bincount(np.searchsorted(self._upper_bounds, amounts), minlength=len(self._buckets))
        for place in buckets.nonzero()[0]:
            self._buckets[place].inc(int(buckets[place]))


class Metrics:
    """The metrics of one application. Label lookups are kept, since every request takes two."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._several = bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
        self._registry = CollectorRegistry()
        counter = partial(Counter, registry=self._registry)
        gauge = partial(Gauge, registry=self._registry)
        histogram = partial(Histogram, registry=self._registry)
        if not self._several:
            for of_process in (ProcessCollector, PlatformCollector, GCCollector):
                of_process(registry=self._registry)
        about = "Requests by route and status, and the name of the caller's key"
        self._requests = counter("http_requests", about, ["method", "path", "status", "key"])
        about = "Time to the whole answer"
        self._seconds = histogram("http_request_duration_seconds", about, ["method", "path"], buckets=LATENCY)
        self.lines_lost = counter("api_access_log_lost", "Lines of requests that could not be written").inc
        self._rejected = counter("api_rejected", "Mistakes in refused bodies by feature and kind", ["field", "problem"])
        self._swaps = counter("api_model_swaps", "Models that replaced the served one, or tried", ["result"])
        for result in ("ok", "refused"):
            self._swaps.labels(result)
        self.watch_failed = counter("api_model_watch_errors", "Failed attempts to find a new model").inc
        self._model = gauge(
            "api_model",
            "1 for the model that is served",
            ["md5", "family", "promoted", "revision"],
            multiprocess_mode="livemax",
        )
        self._pending = gauge("api_log_pending", "Predictions not durable yet", multiprocess_mode="livesum")
        transactions = histogram("prediction_log_transaction_seconds", "Time of a transaction", buckets=LATENCY)
        log.observe = transactions.observe
        self._bytes = gauge("prediction_log_bytes", "Size of the prediction log", multiprocess_mode="livemax")
        self._written = counter("api_log_written", "Predictions in the log")
        self._lost = counter("api_log_lost", "Predictions answered and not logged")
        self._known = (0, 0)  # entries written and lost, as counted so far
        self._drift = gauge("api_drift", "1 for the last drift verdict", ["verdict"], multiprocess_mode="mostrecent")
        self._observers: dict[tuple[str, str, int, str | None], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self._distributions: Distribution | None = None
        self._predictions: Distribution | None = None  # of the served model
        self._labels: tuple[str, ...] = ()

    def observe(self, method: str, path: str, status: int, key: str | None, seconds: float) -> None:
        """Count one answered request; `path` is a route's template, for callers must not make series.

        `key`: the name of the caller's key, None without keys.
        """
        if method not in METHODS:
            method = "other"
        found = self._observers.get((method, path, status, key))
        if found is None:
            count = self._requests.labels(method, path, str(status), key or "").inc
            found = self._observers[method, path, status, key] = count, self._seconds.labels(method, path).observe
        found[0]()
        found[1](seconds)

    def rejected(self, mistakes: Sequence[Mistake], schema: Schema) -> None:
        """Count each mistake of a refused body."""
        names = {column.name for column in schema.columns}
        for mistake in mistakes:
            field = mistake.field if mistake.field in names else NO_COLUMN
            self._rejected.labels(field, mistake.problem).inc()

    def serves(self, served: Served) -> None:
        """Note the model that answers from now on."""
        about, before = served.model.description, self._labels
        if before and self._several:
            self._model.labels(*before).set(0)  # what several processes share cannot be taken away
        elif before:
            self._model.remove(*before)
        self._labels = served.md5, about.family, str(served.promoted).lower(), served.revision or ""
        self._model.labels(*self._labels).set(1)
        if before and before[0] == served.md5:
            return
        if self._distributions:
            self._registry.unregister(self._distributions)
        # A label for the model: what several processes share keeps the counts of earlier ones, which had other edges.
        self._distributions = Distribution(
            "api_predictions",
            "Predictions by model, in the target's unit",
            ["md5"],
            registry=self._registry,
            buckets=buckets(about.training),
        )
        self._predictions = self._distributions.labels(served.md5)

    def predicted(self, predictions: Sequence[float]) -> None:
        """Count predictions, in the target's unit."""
        if self._predictions:
            self._predictions.observe_all(predictions)

    def swapped(self, result: str) -> None:
        """Count a swap: `ok` or `refused`."""
        self._swaps.labels(result).inc()

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        self.refresh()
        if drift := page_facts.drift():
            for verdict in page_facts.VERDICTS:
                self._drift.labels(verdict).set(verdict == drift.verdict)
        if not self._several:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def refresh(self) -> None:
        """Copy the figures of the prediction log."""
        written, lost = self._known
        self._known = self._log.written, self._log.lost
        self._written.inc(self._known[0] - written)
        self._lost.inc(self._known[1] - lost)
        self._pending.set(self._log.pending)
        self._bytes.set(self._log.bytes)

    def close(self) -> None:
        """Take the gauges of this process, which ends, out of those that several share."""
        if self._several:
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]


def buckets(training: Training) -> list[float]:
    """Return upper edges around the median of the training target, rounded to three digits."""
    edges = (training.target_median + step * training.target_std for step in SPREAD)
    return sorted({float(f"{edge:.3g}") for edge in edges})
