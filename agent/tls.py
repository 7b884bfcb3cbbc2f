"""Whom does a connection of ours trust?

What the system trusts, or the authorities of one file (a company's own, a cluster's). The name of the host is always checked.
"""

import ssl
from pathlib import Path

from agent.errors import reason_of


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """For connections to servers. Raises ValueError with one clause where the file holds no certificates."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise ValueError(f"{ca_file}: holds no certificates (PEM)") from error
    except OSError as error:
        raise ValueError(f"{ca_file}: {reason_of(error)}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
