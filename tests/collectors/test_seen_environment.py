"""Variables that a server sets itself count for its workers, and those that are hidden make their environment unknown."""

from msgspec.structs import replace

from collectors.entities import Role, Service
from collectors.facts import Environ
from collectors.framework import Facts
from collectors.learned import server_environment, worker_environment
from collectors.reading import Unsupported
from collectors.seen_environment import as_seen, hidden_in
from tests.captures import ERASED, facts, process, service_of

FRONT, WORKER = process(10, "server"), process(11, "worker", ppid=10)


def service(*sets: tuple[str, str | None]) -> Service:
    return replace(service_of("fake", (FRONT, Role.FRONT_END), (WORKER, Role.WORKER)), sets=sets)


def known(environ: dict[str, str] | None) -> Facts:
    return {FRONT.key: facts(FRONT, environ={"A": "1"}), WORKER.key: facts(WORKER, environ=environ)}


def test_without_any_the_facts_are_the_same() -> None:
    inside = known({"A": "1"})
    assert as_seen(service(), inside) is inside


def test_what_is_set_later_wins_in_workers_and_leaves_the_front_end_alone() -> None:
    of = service(("OMP_NUM_THREADS", "2"), ("B", "3"))
    seen = as_seen(of, known({"OMP_NUM_THREADS": "8", "A": "1"}))
    assert seen[WORKER.key].environ == Environ({"OMP_NUM_THREADS": "2", "A": "1", "B": "3"})
    assert seen[FRONT.key].environ == Environ({"A": "1"})
    assert worker_environment(of, seen).values == {"OMP_NUM_THREADS": "2", "A": "1", "B": "3"}
    assert server_environment(of, seen).values == {"A": "1"}


def test_a_hidden_value_makes_the_environment_of_workers_unknown() -> None:
    of = service(("OMP_NUM_THREADS", None))
    seen = as_seen(of, known({}))
    assert isinstance(seen[WORKER.key].environ, Unsupported)
    found = worker_environment(of, seen)
    assert (found.values, found.reason) == (None, "the server sets OMP_NUM_THREADS to a value that is not visible")
    assert server_environment(of, seen).values == {"A": "1"}


def test_a_hidden_value_does_not_replace_one_that_was_set_at_start() -> None:
    of = service(("OMP_NUM_THREADS", None))
    seen = as_seen(of, known({"OMP_NUM_THREADS": "4"}))
    assert seen[WORKER.key].environ == Environ({"OMP_NUM_THREADS": "4"})
    assert worker_environment(of, seen).values == {"OMP_NUM_THREADS": "4"}
    assert hidden_in({}, (("A", None), ("B", "1"))) == "the server sets A to a value that is not visible"


def test_an_erased_environment_stays_erased() -> None:
    seen = as_seen(service(("OMP_NUM_THREADS", "2")), known(None))
    assert seen[WORKER.key].environ == ERASED
