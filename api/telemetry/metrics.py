"""The metrics for Prometheus, at GET /metrics.

Litestar's own middleware is not used: it sees only what its routes answer, labels by the path as it was sent (anyone
could make any number of series), and keeps its numbers in a class, for all applications of a process together.

With PROMETHEUS_MULTIPROC_DIR set, as `python -m api` does for several workers, each answer has the sums of all of them.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from litestar import Request, Response, get
from litestar.datastructures import State
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from api.http import auth, page_facts
from api.model.loader import Served
from api.prediction_log.writer import Log
from api.requests.diagnostics import Mistake
from pipeline.contract.onnx_model import Training
from pipeline.contract.schema import Schema

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each counter, of no use here

# Litestar adds the charset to every text.
MEDIA_TYPE = CONTENT_TYPE_LATEST.partition("; charset")[0]
# Seconds: from the fastest answer of one row to a client's patience.
LATENCY = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# Standard deviations of the training target around its median; beyond the last is what training hardly saw.
SPREAD = [step / 2 for step in range(-6, 7)]
# What a mistake's `field` is called where the schema has no such column: callers must not make series.
NO_COLUMN = "(no column)"
SWAPS = ("ok", "refused")


class Distribution(Histogram):
    def observe_all(self, amounts: Sequence[float]) -> None:
        """Observe many amounts, in a tenth of the time that `observe` takes for each."""
        self._sum.inc(sum(amounts))
        buckets = np.bincount(np.searchsorted(self._upper_bounds, amounts), minlength=len(self._buckets))
        for place in buckets.nonzero()[0]:
            self._buckets[place].inc(int(buckets[place]))


class Metrics:
    """The numbers of one application. Cheap enough for the path of every prediction: label lookups are kept."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._several = bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
        self._registry = own = CollectorRegistry()
        if not self._several:
            ProcessCollector(registry=own)
        self._requests = Counter("api_requests", "Requests by route and status", ["path", "status"], registry=own)
        self._seconds = Histogram(
            "api_request_seconds", "Time to the whole answer", ["path"], registry=own, buckets=LATENCY
        )
        self._rejected = Counter(
            "api_rejected", "Mistakes in refused bodies by feature and kind", ["field", "problem"], registry=own
        )
        self._swaps = Counter(
            "api_model_swaps", "Models that replaced the served one, or tried", ["result"], registry=own
        )
        for result in SWAPS:
            self._swaps.labels(result)
        self._model = Gauge(
            "api_model",
            "1 for the model that is served",
            ["md5", "family", "promoted", "revision"],
            registry=own,
            multiprocess_mode="livemax",
        )
        self._pending = Gauge(
            "api_log_pending", "Predictions not durable yet", registry=own, multiprocess_mode="livesum"
        )
        self._transaction = Gauge(
            "api_log_seconds", "Time of the last transaction of the log", registry=own, multiprocess_mode="livemax"
        )
        self._written = Counter("api_log_written", "Predictions in the log", registry=own)
        self._lost = Counter("api_log_lost", "Predictions answered and not logged", registry=own)
        self._known = (0, 0)
        self._drift = Gauge(
            "api_drift", "1 for the verdict of the last drift report", ["verdict"], registry=own,
            multiprocess_mode="mostrecent",
        )  # fmt: skip
        self._count: dict[tuple[str, int], Callable[[], None]] = {}
        self._time: dict[str, Callable[[float], None]] = {}
        self._predictions: Distribution | None = None
        self._training: Training | None = None
        self._labels: tuple[str, ...] = ()
        self.predicted: Callable[[Sequence[float]], None] = _ignore
        """Count predictions, in the target's unit."""

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Count one answered request; `path` is a route's template, for callers must not make series."""
        count = self._count.get((path, status))
        if count is None:
            count = self._count[path, status] = self._requests.labels(path, str(status)).inc
            self._time[path] = self._seconds.labels(path).observe
        count()
        self._time[path](seconds)

    def rejected(self, mistakes: Sequence[Mistake], schema: Schema) -> None:
        """Count each mistake of a refused body."""
        names = {column.name for column in schema.columns}
        for mistake in mistakes:
            field = mistake.field if mistake.field in names else NO_COLUMN
            self._rejected.labels(field, mistake.problem).inc()

    def serves(self, served: Served) -> None:
        """From now on this model answers."""
        if self._labels and self._several:
            self._model.labels(*self._labels).set(0)  # what several processes share cannot be taken away
        elif self._labels:
            self._model.remove(*self._labels)
        about = served.model.description
        labels = (served.md5, about.family, str(served.promoted).lower(), served.revision or "")
        self._model.labels(*labels).set(1)
        self._labels = labels
        if about.training != self._training:
            if self._predictions:
                self._registry.unregister(self._predictions)
            self._predictions = Distribution(
                "api_predictions", "Predictions, in the target's unit", registry=self._registry,
                buckets=buckets(about.training),
            )  # fmt: skip
            self._training = about.training
            self.predicted = self._predictions.observe_all

    def swapped(self, result: str) -> None:
        """Count a swap: `ok` or `refused`."""
        self._swaps.labels(result).inc()

    def text(self) -> bytes:
        """Prometheus' text format."""
        self.refresh()
        self._judge()
        if not self._several:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def refresh(self) -> None:
        """Take over what the prediction log knows."""
        written, lost = self._known
        self._known = self._log.written, self._log.lost
        self._written.inc(self._known[0] - written)
        self._lost.inc(self._known[1] - lost)
        self._pending.set(self._log.pending)
        self._transaction.set(self._log.seconds)

    def _judge(self) -> None:
        drift = page_facts.drift()
        for verdict in page_facts.VERDICTS if drift else ():
            self._drift.labels(verdict).set(drift is not None and verdict == drift.verdict)

    def close(self) -> None:
        """This process ends: its gauges count no more."""
        if self._several:
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]


def buckets(training: Training) -> list[float]:
    """Upper edges around the median of the training target, rounded to what a person can read."""
    edges = (training.target_median + step * training.target_std for step in SPREAD)
    return sorted({float(f"{edge:.3g}") for edge in edges})


@get(
    "/metrics",
    guards=[auth.required],
    operation_id="metrics",
    summary="Prometheus text: requests, latency, predictions, rejected fields, swaps, the prediction log",
    media_type=MEDIA_TYPE,
)
async def metrics(request: Request[Any, Any, State]) -> Response[bytes]:
    return Response(request.app.state.metrics.text(), media_type=MEDIA_TYPE)


def _ignore(predictions: Sequence[float]) -> None:
    pass
