"""How do new findings reach webhooks and Kubernetes, without anything here ever waiting for them?

A thread and a bounded queue for each target: one that hangs holds up no other. What is queued when the agent ends is not sent.
"""

import http.client
import logging
import threading
from collections import deque
from collections.abc import Mapping

from advisor.documents import NotifyStatus
from advisor.finding import Finding, Severity
from agent.config import NotifySettings
from agent.errors import reason_of
from agent.notify.message import Message
from agent.notify.sender import Refused, Sender
from agent.notify.webhook import Webhook

log = logging.getLogger("nodewright.notify")
TIMEOUT_SECONDS = 10.0
MOST_QUEUED = 100
MOST_KNOWN = 1000
MOST_ATTEMPTS = 12
"""Some ten minutes."""
FIRST_BACKOFF_SECONDS = 1.0
LAST_BACKOFF_SECONDS = 120.0
_AGAIN = frozenset({408, 425, 429})


class Target:
    """One of whom is told. All methods may be called from any thread."""

    def __init__(
        self, name: str, settings: NotifySettings, *, timeout_seconds: float = TIMEOUT_SECONDS,
        first_backoff_seconds: float = FIRST_BACKOFF_SECONDS,
    ) -> None:  # fmt: skip
        self.name = name
        self.least = Severity(settings.severity)
        self._sender = sender_of(settings)
        self._timeout = timeout_seconds
        self._first_backoff = first_backoff_seconds
        self._queue: deque[Message] = deque()
        self._condition = threading.Condition()
        self._known: dict[str, None] = {}
        self._sent = self._dropped = 0
        self._problem: str | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"notify {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify_all()

    def stop(self, timeout_seconds: float) -> None:
        self.end()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def push(self, message: Message) -> None:
        """Queue it. Never blocks: the oldest is dropped where the queue is full."""
        with self._condition:
            if len(self._queue) == MOST_QUEUED:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(message)
            self._known.pop(message.finding.id, None)
            self._known[message.finding.id] = None
            while len(self._known) > MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._condition.notify_all()

    def knows(self, finding: str) -> bool:
        """Whether it was told already: one that falls and rises again is no news."""
        with self._condition:
            return finding in self._known

    def status(self) -> NotifyStatus:
        with self._condition:
            return NotifyStatus(
                name=self.name, sent=self._sent, dropped=self._dropped, queued=len(self._queue), problem=self._problem
            )

    def _run(self) -> None:
        while (message := self._next()) is not None:
            backoff, problem = self._first_backoff, ""
            for _ in range(MOST_ATTEMPTS):
                problem, again = self._attempt(message)
                if not problem or not again:
                    break
                with self._condition:
                    self._problem = problem
                    if self._condition.wait_for(lambda: self._stopping, backoff):
                        return
                backoff = min(2 * backoff, LAST_BACKOFF_SECONDS)
            self._finish(message, problem)

    def _next(self) -> Message | None:
        """The oldest that waits, which is taken from the queue; None at the end."""
        with self._condition:
            self._condition.wait_for(lambda: self._stopping or self._queue)
            return None if self._stopping else self._queue.popleft()

    def _finish(self, message: Message, problem: str) -> None:
        with self._condition:
            self._problem = problem or None
            self._sent += not problem
            self._dropped += bool(problem)
        if problem:
            log.warning("finding %s was not sent to notify target %s: %s", message.finding.id, self.name, problem)

    def _attempt(self, message: Message) -> tuple[str, bool]:
        """What went wrong (empty: nothing; never with the address' path or the secret in it), and whether to try again."""
        try:
            status = self._sender.send(message, self._timeout)
        except Refused as refused:
            return str(refused), False
        except (OSError, http.client.HTTPException, ValueError) as error:
            return (reason_of(error) if isinstance(error, OSError) else str(error) or type(error).__name__), True
        if 200 <= status < 300:
            return "", False
        return f"it answered {status}", status in _AGAIN or status >= 500


def sender_of(settings: NotifySettings) -> Sender:
    """What takes messages there."""
    if settings.kind == "webhook":
        return Webhook(settings)
    from agent.notify.kubernetes import KubernetesEvents

    return KubernetesEvents()


class Notifier:
    """Every target that the configuration names."""

    def __init__(self, targets: Mapping[str, NotifySettings], node: str) -> None:
        self._targets = [Target(name, settings) for name, settings in targets.items()]
        self._node = node

    def start(self) -> None:
        for target in self._targets:
            target.start()

    def stop(self, timeout_seconds: float) -> None:
        for target in self._targets:
            target.end()
        for target in self._targets:
            target.stop(timeout_seconds)

    def news(self, finding: Finding, before: Severity | None) -> None:
        """A finding is new (`before` None), or as grave as this after it was told as `before`. Called in the sampler thread."""
        for target in self._targets:
            if finding.severity.level < target.least.level or finding.state != "open":
                continue
            if before is None:
                target.push(Message(event="finding.opened", node=self._node, finding=finding))
            elif before.level < target.least.level and not target.knows(finding.id):
                target.push(Message(event="finding.raised", node=self._node, finding=finding))

    def status(self) -> tuple[NotifyStatus, ...]:
        return tuple(target.status() for target in self._targets)
