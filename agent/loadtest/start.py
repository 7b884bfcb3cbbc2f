"""May this service be loaded, and who is told what comes of it?"""

import asyncio
from collections.abc import Callable

from agent.client import Client
from agent.errors import CliError
from agent.loadtest.agent_link import KnownService, cpus_of, service_on
from agent.loadtest.options import LoadTestOptions
from agent.loadtest.place import step_aside
from agent.loadtest.report import LoadTestReport
from agent.loadtest.run import LoadTest, Say
from agent.loadtest.target import Target, find_target

Begun = Callable[[str], None]


def meet(options: LoadTestOptions, client: Client | None, target: Target) -> tuple[KnownService | None, str]:
    """What the agent knows of the service, and a clause where it knows nothing. The generator steps off its CPUs. CliError
    where the service is in use and the user did not say that this is meant."""
    if client is None or not target.local:
        return None, ""
    try:
        known = service_on(client, target.port)
        cpus = cpus_of(client, known) if known is not None else None
    except CliError as reason:
        return None, f"no agent is told the result ({reason.message})"
    if known is None:
        return None, f"the agent knows no service on port {target.port}: it is not told the result"
    if known.in_use and not options.yes:
        message = f"{known.name} is in use: it {known.in_use}"
        raise CliError("loadtest.in-use", message, "a load test slows it down for its users; if that is meant: --yes")
    step_aside(cpus)
    return known, ""


def start(
    options: LoadTestOptions, client: Client | None, slo_of: Callable[[str], float | None], begun: Begun, say: Say
) -> LoadTestReport:
    """The whole run. `slo_of`: the p99 to keep, by a service's name; `begun` hears what is known at the start, `say` of each
    step. Raises CliError."""
    target = find_target(options.url, options.allowed_hosts)
    known, remark = meet(options, client, target)
    begun(remark)
    slo = slo_of(known.name) if known is not None else None
    test = LoadTest(options=options, target=target, client=client, known=known, slo_p99_seconds=slo, say=say)
    return asyncio.run(test.run())
