"""What a port's connections brought between two looks, and whether that was all."""

from collectors.port_counters import Moved, PortCounters, is_seen
from collectors.tcp_connections import Accepted


def there(**segments: int) -> Accepted:
    """Connections by cookie `cN`, each with so many segments of 10 bytes and answers of 100."""
    counted = {int(name[1:]): (10 * count, 100 * count, count) for name, count in segments.items()}
    return Accepted(counted, len(counted))


def test_the_first_look_is_where_counting_begins() -> None:
    port = PortCounters()
    assert port.look(there(c1=50)) == Moved(0, 0, 0, 0.0)
    assert port.look(there(c1=80, c2=5)) == Moved(opened=1, gone=0, segments=35, each=17.5)
    assert (port.opened, port.received_bytes, port.sent_bytes, port.received_segments) == (1, 350, 3500, 35)


def test_a_connection_that_is_gone_keeps_what_it_had_counted() -> None:
    port = PortCounters()
    port.look(there(c1=50, c2=10))
    assert port.look(there(c2=30)) == Moved(opened=0, gone=1, segments=20, each=20.0)
    assert port.look(there()) == Moved(opened=0, gone=1, segments=0, each=20.0)
    assert port.received_segments == 20


def test_new_connections_tell_in_how_many_segments_a_request_comes() -> None:
    port = PortCounters()
    port.look(there(c1=50))
    port.look(there(c2=1, c3=2, c4=0))
    assert (port.young, port.young_segments) == (2, 3)
    port.look(there(c2=9, c5=2))
    assert (port.young, port.young_segments) == (3, 5)


def test_connections_that_stay_are_seen_whole_and_those_that_come_and_go_are_not() -> None:
    assert is_seen(Moved(0, 0, 0, 0.0), 0)
    assert is_seen(Moved(opened=2, gone=0, segments=100, each=10.0), 0)
    assert is_seen(Moved(opened=0, gone=0, segments=100, each=10.0), 2.6)  # 5.2 of 105
    assert not is_seen(Moved(opened=0, gone=0, segments=100, each=10.0), 2.7)
    assert is_seen(Moved(opened=0, gone=1, segments=100, each=10.0), 0)  # 5 of 105
    assert not is_seen(Moved(opened=0, gone=2, segments=100, each=10.0), 0)
    assert not is_seen(Moved(opened=0, gone=1, segments=0, each=20.0), 0)
