"""Does a process that nobody manages stay without an owner, and last in turn?"""

from collectors.entities import Role
from collectors.levers import Place
from collectors.managers.bare import Bare
from collectors.registry import all_managers
from tests.captures import process, service_of


def test_it_owns_nothing_and_adds_no_place() -> None:
    by_hand = process(1, "gunicorn app:app", cgroup="0::/user.slice/session-3.scope")
    place = Place(kind="env", target="gunicorn", key="OMP_NUM_THREADS", value="1", effective=True, because=None)
    assert Bare().owns(by_hand, None) is True
    assert Bare().owner(by_hand, None) is None
    assert list(Bare().render(place, service_of("gunicorn", (by_hand, Role.FRONT_END)))) == []


def test_it_is_asked_last() -> None:
    assert all_managers()[-1].name == "bare"
