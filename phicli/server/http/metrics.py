"""The counts of the server in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from phicli.server.http.traffic import Traffic

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_Sample = tuple[Mapping[str, object], float]


def metrics_text(traffic: Traffic, models: Mapping[str, float]) -> str:
    """All metrics.

    Args:
        traffic: the counts of requests.
        models: the counts of models by name, such as ``loads``.
    """
    return "".join(f"{line}\n" for line in _lines(traffic, models))


def _lines(traffic: Traffic, models: Mapping[str, float]) -> Iterator[str]:
    requests = [
        ({"method": method, "route": route, "status": status}, number)
        for (method, route, status), number in sorted(traffic.requests.items())
    ]
    yield from _metric("requests_total", "counter", "Requests that were answered.", requests)
    seconds = [({"route": route}, spent) for route, spent in sorted(traffic.seconds.items())]
    yield from _metric("request_seconds_total", "counter", "Time spent on requests.", seconds)
    tokens = [({"kind": kind}, traffic.tokens[kind]) for kind in ("prompt", "cached", "completion")]
    yield from _metric("tokens_total", "counter", "Tokens of complete answers; prompt includes cached.", tokens)
    yield from _metric("stream_errors_total", "counter", "Streams that ended with an error.", [({}, traffic.failed)])
    yield from _metric("requests_running", "gauge", "Requests that are being answered.", [({}, traffic.running)])
    yield from _metric("requests_queued", "gauge", "Requests that wait for their model.", [({}, traffic.waiting)])
    yield from _metric("start_time_seconds", "gauge", "When the server started.", [({}, traffic.started)])
    for counted, (kind, name, text) in _OF_MODELS.items():
        yield from _metric(name, kind, text, [({}, models.get(counted, 0))])


_OF_MODELS: Final = {
    "loaded": ("gauge", "models_loaded", "Models in memory."),
    "loads": ("counter", "model_loads_total", "Models that were loaded."),
    "failed_loads": ("counter", "model_load_errors_total", "Models that could not be loaded."),
    "evictions": ("counter", "model_evictions_total", "Models that were unloaded for another one."),
    "expired": ("counter", "model_expirations_total", "Models that were unloaded after they were idle."),
    "loans": ("counter", "model_loans_total", "Times that phi chat used a loaded model."),
}


def _metric(name: str, kind: str, text: str, samples: Iterable[_Sample]) -> Iterator[str]:
    yield f"# HELP phi_{name} {text}"
    yield f"# TYPE phi_{name} {kind}"
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(str(said))}"' for label, said in labels.items())
        yield f"phi_{name}{{{inside}}} {value:.15g}" if inside else f"phi_{name} {value:.15g}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
