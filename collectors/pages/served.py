"""Which of a server's addresses is asked for its metrics now, and what did it say the last time?

The address that answered is asked alone from then on, until it fails. A server that has never answered is asked ever
more rarely until its processes change: most of those never will.
"""

import time
from zlib import crc32

import msgspec

from collectors.entities import Service, WorkerKey
from collectors.framework import Framework
from collectors.metric_map import MetricMap
from collectors.pages.metrics_page import fetch
from collectors.pages.serving_page import Page, read_page
from collectors.pages.serving_samples import samples_of
from collectors.reading import Unreadable
from collectors.sources.serving import ServingSample

ADDRESS_LIMIT = 4
SERVICE_SECONDS = 2.0
"""For all addresses of one service together."""
FIRST_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 300.0
_EARLY_SECONDS = 1.0
"""A round that comes so much early is still due: it is not begun to the microsecond."""
_LEAST_SECONDS = 0.05
"""With less time left than that no further address is asked."""
_UNEXPECTED = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, msgspec.MsgspecError,
)  # fmt: skip
"""What a framework may raise that reads a page of another form than it expects."""


class _Last(msgspec.Struct):
    """The newest page and who printed it: counters go on only from one page to the next of the same."""

    source: str
    page: Page


class Served:
    """The metrics page of one service, from one reading to the next. One thread uses it."""

    def __init__(self) -> None:
        self._last: _Last | None = None
        self._address: str | None = None
        self._refusal: Unreadable | None = None
        self._refusals = 0
        self._asked_ns = 0
        self._asked_of: tuple[tuple[str, ...], frozenset[WorkerKey]] | None = None

    def samples(self, service: Service, framework: Framework, names: MetricMap, now_ns: int) -> list[ServingSample]:
        """What the page says now. Raises Unreadable if no address gives it, and, without asking, while it waits."""
        asked_of = (service.metrics_urls, frozenset(worker.key for worker in service.workers))
        if asked_of != self._asked_of:
            self._asked_of, self._refusals = asked_of, 0
        if self._refusal is not None and self._last is None and not self._is_due(now_ns):
            raise self._refusal
        self._asked_ns = now_ns
        try:
            address, page = self._ask(service, framework, names)
        except Unreadable as refusal:
            self._address, self._refusal = None, refusal
            self._refusals += 1
            raise
        source = f"{crc32(repr((address, service.started, page.process_started)).encode()):08x}"
        last, self._last = self._last, _Last(source, page)
        self._address, self._refusal, self._refusals = address, None, 0
        goes_on = last is not None and last.source == source
        return samples_of(service.id, names, page, last.page if last is not None and goes_on else None, source)

    def _is_due(self, now_ns: int) -> bool:
        if not self._refusals:
            return True
        wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(self._refusals - 1, 10))
        return now_ns - self._asked_ns >= (wait - _EARLY_SECONDS) * 1e9

    def _ask(self, service: Service, framework: Framework, names: MetricMap) -> tuple[str, Page]:
        """The first address that gives a page of this server, and the page."""
        addresses = service.metrics_urls[:ADDRESS_LIMIT]
        if self._address in addresses:
            addresses = (self._address,)
        end = time.monotonic() + SERVICE_SECONDS
        refusals: list[Unreadable] = []
        for address in addresses:
            left = end - time.monotonic()
            if left < _LEAST_SECONDS:
                break
            try:
                body = fetch(address, json=framework.json_page, within=left)
                return address, self._read(body, framework, names)
            except Unreadable as refusal:
                refusals.append(refusal)
        raise _together(refusals)

    def _read(self, body: str, framework: Framework, names: MetricMap) -> Page:
        try:
            text = framework.page_text(body)
        except _UNEXPECTED as error:
            raise Unreadable(
                f"the page of {framework.name} has another form than expected", "ask it by hand"
            ) from error
        return read_page(text, names, () if self._last is None else self._last.page.models)


def _together(refusals: list[Unreadable]) -> Unreadable:
    """Why the likeliest address gave nothing, and how many others did not either."""
    first, others = refusals[0], len(refusals) - 1
    if not others:
        return first
    return Unreadable(f"{first.reason}; {others} more addresses gave nothing either", first.hint)
