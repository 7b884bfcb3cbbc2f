"""Do variables that a server sets for its workers after their start count where a service is judged?"""

import pytest
from msgspec.structs import replace

from agent.config import Config
from agent.judging import service_facts
from collectors.entities import Role
from collectors.facts import Library
from tests.captures import facts, process, service_of

BLAS = (Library("openblas", "/x/libopenblas.so"),)


@pytest.mark.parametrize(
    ("sets", "threads"),
    [
        ((), 8),
        ((("OMP_NUM_THREADS", "1"),), 1),
        ((("OMP_NUM_THREADS", None),), 8),
        ((("MKL_NUM_THREADS", None),), None),
    ],
)
def test_the_thread_count_is_the_one_that_the_workers_see(
    sets: tuple[tuple[str, str | None], ...], threads: int | None
) -> None:
    front, worker = process(10, "gunicorn", "a:b"), process(11, "gunicorn", "a:b", ppid=10)
    service = replace(service_of("gunicorn", (front, Role.FRONT_END), (worker, Role.WORKER)), sets=sets)
    known = {each.key: facts(each, environ={"OMP_NUM_THREADS": "8"}, libraries=BLAS) for each in (front, worker)}
    found = service_facts(service, known, Config()).threads
    assert (found.value if found else None) == threads
