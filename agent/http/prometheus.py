"""How is prometheus-client loaded in a process that leaves OpenSSL out?

The module that writes pages also holds a server and a pusher, and names OpenSSL's types when it is imported. Neither is
used here, so that empty types stand in for them during that import.
"""

import importlib
import sys
from types import ModuleType

_NAME = "prometheus_client"


def load_prometheus_client() -> None:
    """Import it, without OpenSSL where this process is without. Call it before other threads import anything."""
    if _NAME in sys.modules:
        return
    if sys.modules.get("ssl", sys) is not None:
        importlib.import_module(_NAME)
        return
    import urllib.request

    lacks_https = not hasattr(urllib.request, "HTTPSHandler")
    sys.modules["ssl"] = _stand_in()
    if lacks_https:
        urllib.request.HTTPSHandler = urllib.request.HTTPHandler  # type: ignore[misc,assignment]
    try:
        importlib.import_module(_NAME)
    finally:
        sys.modules["ssl"] = None  # type: ignore[assignment]
        if lacks_https:
            del urllib.request.HTTPSHandler


def _stand_in() -> ModuleType:
    module = ModuleType("ssl")
    for name in ("SSLContext", "TLSVersion", "PROTOCOL_TLS_CLIENT", "PROTOCOL_TLS_SERVER"):
        setattr(module, name, object)
    return module
