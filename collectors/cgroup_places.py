"""In which file of its cgroup is a limit of a service set?"""

from collectors.cgroup_paths import controller_path
from collectors.entities import Service
from collectors.levers import Place, Value


class CgroupFile:
    """The folder of one controller's files for the cgroup that holds a service's workers. `version`: 1 or 2."""

    def __init__(self, controller: str, version: int, path: str) -> None:
        self._controller, self.version, self._path = controller, version, path

    def place(self, key: str, text: Value) -> Place:
        """The file `key` in it, and what to write there."""
        folder = "/sys/fs/cgroup" if self.version == 2 else f"/sys/fs/cgroup/{self._controller}"
        if _is_hidden(self._path):
            because = "as the container itself sees it, where it is mostly mounted read-only"
            return Place(
                kind="cgroup", target=folder, key=key, value=text, effective=None, because=because, restart=False
            )
        because = "it is the workers' own cgroup; a limit of one above it still holds"
        return Place(
            kind="cgroup",
            target=folder + self._path,
            key=key,
            value=text,
            effective=True,
            because=because,
            restart=False,
        )


def cgroup_file(service: Service, controller: str) -> CgroupFile | None:
    """None where the workers are in the root cgroup of the node, or out of reach and in no container."""
    paths = (controller_path(worker.process.cgroups, controller) for worker in service.serving)
    found = next((at for at in paths if at), None)
    if found is None or (_is_hidden(found[1]) and service.container is None):
        return None
    return CgroupFile(controller, *found)


def _is_hidden(path: str) -> bool:
    return path == "/" or ".." in path.split("/")
