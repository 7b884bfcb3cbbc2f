"""What does the page of an application mean whose server has no metrics of its own?

Read only where the configuration names the page (`[service."NAME"] metrics_url`). The names are those of the exporters that
applications mount most, as recorded: prometheus-fastapi-instrumentator 8.1.0, starlette_exporter 0.24.0,
prometheus-flask-exporter 0.23.2.
"""

from collectors.metric_map import Distribution, MetricMap, Series, series

_WELL = r"|[23](\d\d|xx)"
_FAILED = r"5(\d\d|xx)"
_OTHERS = r"(?!/metrics$).*"
"""Every path but the one that we ask ourselves."""
_STATUS = ("status", "status_code", "code")


def _well(name: str) -> Series:
    return series(name, **dict.fromkeys(_STATUS, _WELL), handler=_OTHERS, path=_OTHERS)


def _failed(name: str) -> tuple[Series, ...]:
    return tuple(series(name, **{label: _FAILED}, handler=_OTHERS, path=_OTHERS) for label in _STATUS)


APP_METRICS = MetricMap(
    requests=(_well("http_requests_total"), _well("starlette_requests_total"), _well("flask_http_request_total")),
    errors=(
        *_failed("http_requests_total"),
        *_failed("starlette_requests_total"),
        *_failed("flask_http_request_total"),
    ),
    latency=Distribution(
        of=(
            series("http_request_duration_seconds", handler=_OTHERS, path=_OTHERS),
            series("starlette_request_duration_seconds", path=_OTHERS),
            series("flask_http_request_duration_seconds", path=_OTHERS),
        )
    ),
)
