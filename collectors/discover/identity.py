"""What is a service called, and by which id is it known, before and after a restart?"""

from collections.abc import Iterable

import msgspec

from collectors.entities import service_id


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a service the same one again. `title` is its name before equal names are told apart."""

    framework: str
    application: str
    port: int | None
    owner: str | None
    manager: str
    title: str

    @property
    def id(self) -> str:
        return service_id(self.framework, self.application, self.owner, self.port)


class Names:
    """Gives each service of a node a name of its own: the second `gunicorn/app` is `gunicorn/app#2`. Remembers which
    service had which, so that a restart of one does not rename another."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def assign(self, identities: Iterable[Identity]) -> list[tuple[str, str]]:
        """(id, name) of each, in the order given; of several with one id the first keeps it."""
        given = list(identities)
        living = {identity.id for identity in given}
        reserved = {name: known for known, name in self._names.items() if known in living}
        found: list[tuple[str, str]] = []
        used: set[str] = set()
        for identity in given:
            own = identity.id
            name = self._names.get(own)
            if name is None or name in used or name.partition("#")[0] != identity.title:
                name = self._free(identity.title, own, used, reserved)
            if own in {known for known, _ in found}:
                own = service_id(identity.framework, name, identity.owner, identity.port)
            else:
                self._names[own] = name
            used.add(name)
            found.append((own, name))
        return found

    @staticmethod
    def _free(title: str, own: str, used: set[str], reserved: dict[str, str]) -> str:
        name, number = title, 1
        while name in used or reserved.get(name, own) != own:
            number += 1
            name = f"{title}#{number}"
        return name
