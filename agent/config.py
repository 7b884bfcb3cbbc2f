"""Which settings are there, with which defaults?

A setting's key in TOML is the attribute's name without its unit: `interval = "1s"` sets `interval_seconds`.
"""

# ruff: noqa: RUF009 - setting() is dataclasses.field() with the declaration in it

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.settings import Kind, setting

Scalar = str | float | bool
FreeTable = Mapping[str, "Scalar | FreeTable"]
MOST_MONEY = 1e12
"""Of any currency: sums stay numbers."""
LEAST_MONEY = 1e-9
"""Above 0: ratios stay numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """`[agent]`: what runs, where and how often."""

    listen: str = setting(
        Kind.LISTEN, "127.0.0.1:9753", "Where the HTTP interface listens: HOST:PORT or unix:PATH.", flag="--listen"
    )
    db: Path | None = setting(
        Kind.PATH,
        None,
        "The database state.db; the raw shards lie beside it. Without it: state.db in the state folder.",
        flag="--db",
    )
    interval_seconds: float = setting(
        Kind.DURATION,
        "1s",
        "How often the cheap collectors run.",
        minimum=0.1,
        maximum=60,
        flag="--interval",
    )
    evaluate_interval_seconds: float = setting(
        Kind.DURATION, "2s", "How often the rules judge.", minimum=0.5, maximum=600
    )
    sidecar: bool = setting(
        Kind.FLAG, True, "Start the privileged sidecar as a child of the agent.", flag="--no-sidecar"
    )
    sidecar_socket: Path | None = setting(
        Kind.PATH, None, "Unix socket of a sidecar that runs on its own; without it the agent starts one."
    )
    past_socket: Path | None = setting(
        Kind.PATH,
        None,
        "Unix socket of a process that works out moments of the past; without it the agent starts one for each.",
    )
    node: str | None = setting(Kind.TEXT, None, "Name of this node. Without it: the host name.")
    log_level: str = setting(
        Kind.TEXT,
        "info",
        "The least serious messages that are logged.",
        choices=("debug", "info", "warning", "error"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """`[store]`: how much is kept."""

    raw_retention_seconds: float = setting(
        Kind.DURATION, "7d", "How long the per-second samples are kept.", minimum=3600
    )
    minute_retention_seconds: float = setting(Kind.DURATION, "90d", "How long the minute rows are kept.", minimum=86400)
    size_cap_bytes: int = setting(
        Kind.SIZE, "2GiB", "Raw shards are dropped, oldest first, above this size of all files.", minimum=16 << 20
    )
    moments: bool = setting(
        Kind.FLAG,
        True,
        "Keep with the samples what is needed to show a moment of the past again: about 20 MB a day.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings:
    """`[budget]`: what watching may cost."""

    cpu_ratio: float = setting(
        Kind.NUMBER,
        0.02,
        "Share of one core that agent and sidecar may use; the agent slows itself down before it exceeds it.",
        minimum=0.001,
        maximum=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilingSettings:
    """`[profiling]`: how closely busy workers are looked into."""

    enabled: bool = setting(Kind.FLAG, True, "Look into busy workers for what they spend their time on.")
    probe: bool = setting(
        Kind.FLAG, True, "Look now and then at every busy worker, not only where a rule has a suspicion."
    )
    cpu_ratio: float = setting(
        Kind.NUMBER,
        0.005,
        "Share of one core that profiling may use on this node in steady state; a suspicion may buy a burst beyond it.",
        minimum=0.0005,
        maximum=0.5,
    )
    worker_ratio: float = setting(
        Kind.NUMBER,
        0.01,
        "Share of a core that profiling may take from one worker, averaged over a minute.",
        minimum=0.001,
        maximum=0.5,
    )
    burst_seconds: float = setting(Kind.DURATION, "4s", "How long a burst is.", minimum=1, maximum=30)
    keep_seconds: float = setting(Kind.DURATION, "7d", "How long profiles are kept.", minimum=3600)
    pyroscope_url: str | None = setting(
        Kind.URL, None, "A Pyroscope-compatible server to which every profile is sent as well."
    )
    pyroscope_token_file: Path | None = setting(
        Kind.PATH, None, "File that holds the bearer token for that server, or `Basic …`, where it wants one."
    )
    pyroscope_tenant: str | None = setting(
        Kind.TEXT, None, "Whose profiles they are on a server with several tenants (X-Scope-OrgID)."
    )
    pyroscope_ca_file: Path | None = setting(
        Kind.PATH, None, "File with the authorities (PEM) that its certificate is of; without it the system's."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSettings:
    """`[gpu]`: which readers of GPUs and other accelerators run. Without it: those whose devices are on this node."""

    always: tuple[str, ...] = setting(
        Kind.TEXTS, (), "Readers that are started although nothing seems to be there: nvidia, amd, tpu, neuron."
    )
    never: tuple[str, ...] = setting(Kind.TEXTS, (), "Readers that are not started.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """`[http]`: who may ask."""

    allowed_hosts: tuple[str, ...] = setting(
        Kind.TEXTS, (), "Names in the Host header that are answered besides localhost, 127.0.0.1 and [::1]."
    )
    token_file: Path | None = setting(
        Kind.PATH, None, "File that holds the token for writing. Without it: token in the state folder."
    )
    metrics_series: float = setting(
        Kind.NUMBER,
        2000.0,
        "How many series /metrics holds at most; samples of least use are left out whole and counted.",
        minimum=500,
        maximum=1e6,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceSettings:
    """`[advice]`: when a finding starts and ends."""

    window_seconds: float = setting(
        Kind.DURATION, "15s", "The window of loaded seconds on which the rules judge.", minimum=15, maximum=60
    )
    hold_down_seconds: float = setting(
        Kind.DURATION, "15min", "How long a finding must be absent until it is resolved.", minimum=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """`[node]`: what no program can read of this machine."""

    memory_bandwidth_bytes_per_second: int | None = setting(
        Kind.RATE,
        None,
        "What all of its memory can give at once: `nodewright migrate --probe`, or channels × transfers × 8 bytes: 204.8GB/s.",
        minimum=1 << 20,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """`[service."NAME"]`: what the owner of a service wants."""

    slo_p99_seconds: float | None = setting(
        Kind.DURATION, None, "The 99 % point of latency that the service must keep.", minimum=1e-6
    )
    objective: Literal["latency", "throughput", "cost"] | None = setting(
        Kind.TEXT, None, "What matters most for this service.", choices=("latency", "throughput", "cost")
    )
    metrics_url: str | None = setting(
        Kind.URL, None, "Prometheus page of the server, where it cannot be found by itself."
    )
    pattern: str | None = setting(
        Kind.PATTERN,
        None,
        "Regular expression over command lines: the front-end that matches makes up the service of this NAME.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesSettings:
    """`[nodes."NAME"]`: another node that `nodewright top` can show."""

    url: str | None = setting(Kind.AGENT, None, "Where its agent listens: http://HOST:PORT, https://… or unix:PATH.")
    token_file: Path | None = setting(Kind.PATH, None, "File that holds its agent's token, where that wants one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """`[notify."NAME"]`: who is told of new findings."""

    kind: Literal["webhook", "kubernetes"] = setting(
        Kind.TEXT,
        "webhook",
        "A webhook, or an Event of Kubernetes about our own pod.",
        choices=("webhook", "kubernetes"),
    )
    url: str | None = setting(Kind.URL, None, "Where to post to: https, or http to this machine.")
    url_file: Path | None = setting(
        Kind.PATH, None, "Instead of url: a file that holds it, where the address is itself a secret, as Slack's."
    )
    severity: Literal["info", "low", "medium", "high", "critical"] = setting(
        Kind.TEXT, "high", "The least severity that is told.", choices=("info", "low", "medium", "high", "critical")
    )
    secret_file: Path | None = setting(
        Kind.PATH, None, "File that holds the secret with which what is sent is signed (HMAC-SHA256)."
    )
    ca_file: Path | None = setting(
        Kind.PATH,
        None,
        "File with the authorities (PEM) that the webhook's certificate is of; without it the system's.",
    )
    format: Literal["json", "slack"] = setting(
        Kind.TEXT, "json", "The finding as JSON, or text for Slack's incoming webhooks.", choices=("json", "slack")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSettings:
    """`[rule."NAME"]`: a rule switched off, or its thresholds moved. Any other key is a threshold of that rule."""

    enabled: bool = setting(Kind.FLAG, True, "Let this rule judge.")
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesSettings:
    """`[prices]`: what this node costs: `hourly`, or `purchase_price` over `amortisation` and the power it draws."""

    file: Path | None = setting(
        Kind.PATH, None, "A file with a [prices] section of its own; what is set here wins over it."
    )
    currency: str | None = setting(Kind.TEXT, None, "The currency of all prices, three letters: EUR.")
    as_of: str | None = setting(Kind.DATE, None, "The day on which the prices held: 2026-11-01.")
    hourly: float | None = setting(Kind.NUMBER, None, "An hour of this node.", minimum=0, maximum=MOST_MONEY)
    hourly_without_device: float | None = setting(
        Kind.NUMBER,
        None,
        "An hour of this node if its GPU or other accelerator were given up.",
        minimum=0,
        maximum=MOST_MONEY,
    )
    purchase_price: float | None = setting(Kind.NUMBER, None, "What this node has cost.", minimum=0, maximum=MOST_MONEY)
    amortisation_seconds: float | None = setting(
        Kind.DURATION, None, "The time over which the purchase is paid off: 3y.", minimum=86400
    )
    power_watts: float | None = setting(
        Kind.NUMBER, None, "Power that this node draws, with what cools it.", minimum=0, maximum=1e6
    )
    power_price_per_kwh: float | None = setting(Kind.NUMBER, None, "A kilowatt-hour.", minimum=0, maximum=MOST_MONEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings. `devices` is a free table: currency, hourly, purchase_price, amortisation, …"""

    agent: AgentSettings = field(default_factory=AgentSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    profiling: ProfilingSettings = field(default_factory=ProfilingSettings)
    gpu: GpuSettings = field(default_factory=GpuSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    advice: AdviceSettings = field(default_factory=AdviceSettings)
    node: NodeSettings = field(default_factory=NodeSettings)
    service: Mapping[str, ServiceSettings] = field(default_factory=dict)
    rule: Mapping[str, RuleSettings] = field(default_factory=dict)
    nodes: Mapping[str, NodesSettings] = field(default_factory=dict)
    notify: Mapping[str, NotifySettings] = field(default_factory=dict)
    prices: PricesSettings = field(default_factory=PricesSettings)
    devices: FreeTable = field(default_factory=dict)

    @property
    def node_name(self) -> str:
        """The configured name of this node, else the host name."""
        return self.agent.node or socket.gethostname()

    def for_service(self, name: str) -> ServiceSettings:
        """The section of a service, all defaults if there is none."""
        return self.service.get(name) or ServiceSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConfig:
    """The settings and where each came from: `default`, `file PATH`, `environment NODEWRIGHT_X`, `flag --x`.

    `origins` is keyed by the dotted key as written in TOML (`agent.listen`, `service."gunicorn/app:8000".slo_p99`).
    """

    config: Config
    origins: Mapping[str, str]
    files: tuple[Path, ...] = ()


PLAIN_SECTIONS: Mapping[str, type] = {
    "agent": AgentSettings,
    "store": StoreSettings,
    "budget": BudgetSettings,
    "profiling": ProfilingSettings,
    "gpu": GpuSettings,
    "http": HttpSettings,
    "advice": AdviceSettings,
    "node": NodeSettings,
    "prices": PricesSettings,
}
NAMED_SECTIONS: Mapping[str, type] = {
    "service": ServiceSettings,
    "rule": RuleSettings,
    "nodes": NodesSettings,
    "notify": NotifySettings,
}
FREE_SECTIONS = ("devices",)
