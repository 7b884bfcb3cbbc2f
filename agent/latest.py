"""The newest sample of every entity and the newest run of every collector, for `/metrics`, doctor and the screens."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from advisor.documents import CollectorStatus
from collectors.reading import Failed, Ok, Reading, Unsupported, status_of
from collectors.sample import Sample


class Latest:
    """Written by the sampler thread, read by others: each kind's mapping is replaced as a whole, never changed."""

    def __init__(self, apart: Iterable[str] = ()) -> None:
        """`apart`: collectors whose last samples say nothing any more once they do not read: those of drivers."""
        self._apart = frozenset(apart)
        self._samples: dict[tuple[str, str], Mapping[str, Sample]] = {}
        """By kind and collector: several may read the same kind of thing."""
        self._collectors: dict[str, CollectorStatus] = {}

    def take(self, reading: Reading, kinds: tuple[type[Sample], ...], runs: int = 1) -> None:
        """Take in the newest of `runs` runs of its collector; of the others none matters any more."""
        if isinstance(reading.outcome, Ok):
            found: dict[tuple[str, str], dict[str, Sample]] = {(kind.kind, reading.collector): {} for kind in kinds}
            for sample in reading.outcome.samples:
                found.setdefault((sample.kind, reading.collector), {})[sample.entity] = sample
            self._samples.update(found)
        elif isinstance(reading.outcome, Unsupported) or reading.collector in self._apart:
            for kind in kinds:  # what a driver that is gone said last is not how it is now
                self._samples.pop((kind.kind, reading.collector), None)
        before = self._collectors.get(reading.collector)
        reason, hint = why(reading)
        self._collectors[reading.collector] = CollectorStatus(
            name=reading.collector,
            status=status_of(reading.outcome),
            reason=reason,
            hint=hint,
            duration_seconds=reading.duration_ns * 1e-9,
            late_seconds=max(0, reading.late_ns) * 1e-9,
            runs=((before.runs if before else 0) or 0) + runs,
        )

    def samples(self) -> Mapping[str, Mapping[str, Sample]]:
        merged: dict[str, Mapping[str, Sample]] = {}
        for (kind, _), samples in list(self._samples.items()):
            merged[kind] = {**merged[kind], **samples} if kind in merged else samples
        return MappingProxyType(merged)

    def collectors(self) -> tuple[CollectorStatus, ...]:
        return tuple(self._collectors.values())


def why(reading: Reading) -> tuple[str | None, str | None]:
    """Reason and hint of a reading that brought nothing."""
    match reading.outcome:
        case Unsupported(reason, hint):
            return reason, hint
        case Failed(error):
            return error, None
        case _:
            return None, None
