"""How does the Docker engine call a container, and of which Compose service is it?"""

import msgspec

from collectors.host import READ_LIMIT_BYTES, Host

_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"
_NAME_LIMIT_CHARACTERS = 255


class DockerNames(msgspec.Struct, frozen=True, kw_only=True):
    """None = not stated."""

    name: str | None = None
    project: str | None = None
    service: str | None = None


class _Labels(msgspec.Struct, rename={"project": _PROJECT, "service": _SERVICE}):
    project: str | None = None
    service: str | None = None


class _Settings(msgspec.Struct, rename="pascal"):
    labels: _Labels | None = None


class _File(msgspec.Struct, rename="pascal"):
    name: str | None = None
    config: _Settings | None = None


def docker_names(host: Host, container_id: str) -> DockerNames | None:
    """What the engine's own `config.v2.json` says: the name and the two labels alone, the environment in it is never
    decoded. None where it is not there, may not be read (it is root's), or is not understood."""
    try:
        data = host.read(f"{host.root}/var/lib/docker/containers/{container_id}/config.v2.json")
        file = msgspec.json.decode(data, type=_File) if len(data) < READ_LIMIT_BYTES else _File()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    labels = (file.config.labels if file.config else None) or _Labels()
    return DockerNames(
        name=_plain((file.name or "").removeprefix("/")), project=_plain(labels.project), service=_plain(labels.service)
    )


def _plain(text: str | None) -> str | None:
    return text if text and len(text) <= _NAME_LIMIT_CHARACTERS and text.isprintable() else None
