"""What does the daemon leave out to stay small?"""

import sys

_OPENSSL = ("ssl", "_ssl", "_hashlib")


def without_openssl() -> bool:
    """Keep OpenSSL out of this process: 7 MB resident for nothing, as the agent speaks plain HTTP on its own node.

    asyncio, aiohttp and hashlib do without it where it is missing, which is what they are told here. To be called before
    they are imported; False where it is too late. A metrics page that is https only cannot be read then.
    """
    if any(sys.modules.get(name) is not None for name in _OPENSSL):
        return False
    for name in _OPENSSL:
        sys.modules[name] = None  # type: ignore[assignment]
    return True
