"""A page whose labels were kept from before is the one that prometheus-client writes anew."""

import pytest
from prometheus_client.exposition import choose_encoder

from agent.http.family import Family, metric_of
from agent.http.page import Pages

FORMATS = ("application/openmetrics-text; version=1.0.0", "", "text/plain; version=1.0.0; escaping=allow-utf-8")
ODD = 'a\\b"c\nd\r\x85\u2028 e\udcff 1'


class Collected:
    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> list[object]:
        return [metric_of(one) for one in self._families]


def families(count: int, value: float) -> list[Family]:
    values = {(("service", f"{ODD}{n}"), ("slot", str(n))): value + n for n in range(count)}
    return [
        Family("nodewright_x_seconds", "Time \\ of\nx.", True, values),
        Family("nodewright_y_bytes", "Bytes.", False, {(): value * 1e7}),
        Family("nodewright_none", "Nothing.", False, {}),
    ]


@pytest.mark.parametrize("accept", FORMATS)
def test_values_are_new_and_labels_are_those_of_the_library(accept: str) -> None:
    pages = Pages()
    for count, value in ((2, 1.0), (2, 123456.789), (3, 0.1), (1, 1e22), (1, float("inf"))):
        wanted = families(count, value)
        encode, content_type = choose_encoder(accept)
        assert pages.written(wanted, accept) == (encode(Collected(wanted)), content_type)


def test_formats_do_not_mix() -> None:
    pages = Pages()
    for _ in range(2):
        bodies = [pages.written(families(1, 1.0), accept)[0] for accept in FORMATS]
        assert len(set(bodies)) == 2
        assert bodies[0].endswith(b"# EOF\n")
        assert not bodies[1].endswith(b"# EOF\n")
