"""What is sent of a finding, and how does the receiver know that it is ours?

`X-Nodewright-Signature: v1=HEX` is HMAC-SHA256 with the shared secret over `TIMESTAMP.BODY`; the timestamp (Unix seconds) is in
`X-Nodewright-Timestamp`, so that what was heard once cannot be sent again later. `X-Nodewright-Delivery` is the same at every
attempt.
"""

import hashlib
import hmac
from typing import Literal

import msgspec

from advisor.finding import Finding
from agent.http.encoded import encode


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`event`: it is new, or has become grave enough."""

    event: Literal["finding.opened", "finding.raised"]
    node: str
    finding: Finding

    @property
    def delivery(self) -> str:
        text = "\x1f".join((self.node, self.finding.id, self.finding.first_seen, self.event, self.finding.severity))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def body_of(message: Message, form: str) -> bytes:
    """JSON: the message, or what Slack's incoming webhooks take."""
    return encode({"text": _slack(message)}) if form == "slack" else encode(message)


def signed(body: bytes, secret: bytes, timestamp: int) -> dict[str, str]:
    """The headers that prove it."""
    made = hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Nodewright-Timestamp": str(timestamp), "X-Nodewright-Signature": f"v1={made}"}


def _slack(message: Message) -> str:
    finding = message.finding
    text = f"[{finding.severity}] {message.node}: {finding.subject.name}: {finding.title}\n{finding.summary}"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
