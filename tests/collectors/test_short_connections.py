"""To which port go the connections that nobody saw: only to one that explains them."""

from collections import Counter
from collections.abc import Mapping

import pytest

from collectors.port_counters import Moved
from collectors.short_connections import ALONE_LOOKS, FIRST_LIMIT, REMEMBERED_LOOKS, ShortConnections
from collectors.tcp_connections import Accepted, Families

ONE, OTHER = 8000, 8001
V4 = frozenset((2,))
PORTS: Families = {ONE: V4, OTHER: V4, 22: V4}
QUIET = Moved(0, 0, 0, 0.0)
NEW = Moved(4, 0, 4, 1.0)


class Tables:
    """Connections that ended at each port since the last look, as the kernel's table tells them."""

    def __init__(self) -> None:
        self.ended: Counter[int] = Counter()
        self.asked: list[int | None] = []

    def listening(self) -> Families:
        return PORTS

    def accepted(self, ports: Families) -> Mapping[int, Accepted]:
        raise NotImplementedError

    def closed(self, ports: Families, seconds: float, limit: int, without: int | None = None) -> Counter[int]:
        self.asked.append(without)
        found = Counter({port: count for port, count in self.ended.items() if port != without})
        if found.total() > limit:
            raise OverflowError
        return found


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def short(tables: Tables) -> ShortConnections:
    return ShortConnections(tables)


def look(
    short: ShortConnections, unseen: float, listening: Families = PORTS, seconds: float = 5.0, rests: int = 100,
    **moved: Moved,
) -> Mapping[int, float] | None:  # fmt: skip
    by_port = {port: moved.get(f"p{port}", QUIET) for port in listening}
    return short.by_port(unseen, seconds, listening, by_port, rests)


def test_what_ended_at_each_port_shares_out_what_the_kernel_counted(short: ShortConnections, tables: Tables) -> None:
    tables.ended.update({ONE: 300, OTHER: 96})
    assert look(short, 400, p8000=NEW, p8001=NEW) == {
        ONE: pytest.approx(303, abs=0.1),
        OTHER: pytest.approx(97, abs=0.1),
    }


def test_of_those_that_ended_the_ones_seen_before_are_not_unseen(short: ShortConnections, tables: Tables) -> None:
    tables.ended.update({ONE: 110, OTHER: 50})
    assert look(short, 100, p8000=Moved(9, 10, 9, 1.0), p8001=Moved(50, 50, 50, 1.0)) == {ONE: 100, OTHER: 0}


def test_less_than_nine_tenths_explained_is_not_told(short: ShortConnections, tables: Tables) -> None:
    tables.ended.update({ONE: 89})
    assert look(short, 100, p8000=NEW, p8001=NEW) is None
    tables.ended.update({ONE: 1})
    assert look(short, 100, p8000=NEW, p8001=NEW) == {ONE: 100}


def test_the_only_listening_port_has_all_and_no_connection_needs_no_question(
    short: ShortConnections, tables: Tables
) -> None:
    assert look(short, 70, {ONE: V4}) == {ONE: 70}
    assert look(short, 0) == {}
    assert tables.asked == []


def test_the_one_port_with_new_connections_has_what_others_have_not_left(
    short: ShortConnections, tables: Tables
) -> None:
    tables.ended.update({22: 3})
    for _ in range(ALONE_LOOKS):
        assert look(short, 100, p8000=NEW) is None
    assert look(short, 100, p8000=NEW) == {22: 3, ONE: 97}
    assert tables.asked[-1] == ONE


def test_a_port_beside_it_that_had_a_new_connection_is_remembered(short: ShortConnections) -> None:
    for _ in range(ALONE_LOOKS):
        look(short, 0)
    assert look(short, 100, p8000=NEW, p22=Moved(1, 0, 1, 1.0)) is None
    for _ in range(REMEMBERED_LOOKS - 1):
        assert look(short, 100, p8000=NEW) is None
    assert look(short, 100, p8000=NEW) == {ONE: 100}


def test_nobody_seen_at_any_port_is_not_told(short: ShortConnections) -> None:
    for _ in range(ALONE_LOOKS + 1):
        assert look(short, 5) is None


def test_a_table_too_long_to_read_is_not_read_unless_one_port_is_left_out(
    short: ShortConnections, tables: Tables
) -> None:
    tables.ended.update({ONE: FIRST_LIMIT + 1})
    assert look(short, FIRST_LIMIT, rests=FIRST_LIMIT + 1, p8000=NEW) is None
    assert tables.asked == []
    assert look(short, FIRST_LIMIT, rests=FIRST_LIMIT, p8000=NEW) is None  # it has grown meanwhile
    for _ in range(ALONE_LOOKS):
        found = look(short, 5000, rests=1_000_000, p8000=NEW)
    assert found == {ONE: 5000}
    assert short.read == 0


def test_a_port_at_which_nobody_listens_any_more_is_not_beside_its_successor(short: ShortConnections) -> None:
    """A server that comes back at another port."""
    for _ in range(ALONE_LOOKS + 1):
        look(short, 100, p8000=NEW)
    after: Families = {OTHER: PORTS[OTHER], 2024: PORTS[OTHER]}
    assert look(short, 5000, listening=after, rests=1_000_000, p8001=NEW) == {OTHER: 5000}


def test_what_ended_over_a_minute_ago_has_left_nothing(short: ShortConnections, tables: Tables) -> None:
    tables.ended.update({ONE: 100})
    assert look(short, 100, seconds=60.0, p8000=NEW) is None
