"""How is a webhook told?"""

import http.client
import time
from urllib.parse import urlsplit

from agent.config import NotifySettings
from agent.notify.message import Message, body_of, signed
from agent.notify.targets import check_address, read_line


class Webhook:
    """Posts to one address; redirections are not followed."""

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings

    def send(self, message: Message, timeout_seconds: float) -> int:
        settings = self._settings
        body = body_of(message, settings.format)
        url = settings.url or check_address(read_line(settings.url_file).decode() if settings.url_file else "")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "nodewright",
            "X-Nodewright-Delivery": message.delivery,
        }
        if settings.secret_file is not None:
            headers |= signed(body, read_line(settings.secret_file), int(time.time()))
        parts = urlsplit(url)
        connection = self._connection(parts.scheme, parts.hostname or "", parts.port, timeout_seconds)
        try:
            connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def _connection(self, scheme: str, host: str, port: int | None, timeout: float) -> http.client.HTTPConnection:
        if scheme != "https":
            return http.client.HTTPConnection(host, port, timeout=timeout)
        from agent.tls import trusting

        return http.client.HTTPSConnection(host, port, timeout=timeout, context=trusting(self._settings.ca_file))
