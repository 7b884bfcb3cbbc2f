"""What does the agent say of moving work? Answers that tests of the screen share: built hosts, judged by the advisor.

A saturated encoder with devices that are here and elsewhere, a language model that does not fit, and one without a profile.
"""

from msgspec.structs import replace

from advisor.finding import Need
from advisor.migration.estimate import estimate
from advisor.migration.result import MigrationEstimate
from tests.advisor.migration.migrating import NODE, encoder, generating, known, market
from tests.snapshots import HEALTHY, LOADED

LLM = "vllm/llama:8001"
LEFT_OUT = "NVIDIA H20 in this node: not judged, it is sold with fewer operations than its multiprocessors could do"


def example_migrations() -> tuple[MigrationEstimate, ...]:
    """The loaded service, a language model, and the healthy one, of which too little is known."""
    return (loaded_migration(), _llm(), replace(blind_migration(), service=HEALTHY))


def loaded_migration() -> MigrationEstimate:
    """Of sixteen workers of a BERT: an L4 is in the node, the others are not."""
    seen = encoder()
    asked = replace(market(seen, "L4", "H100", "T4", L4=1.2, H100=80.0), free={"L4": 20 << 30}, left_out=(LEFT_OUT,))
    found = estimate(seen, replace(known(seen), price=NODE, slo_p99_seconds=0.1), asked)
    return replace(found, service=LOADED)


def _llm() -> MigrationEstimate:
    seen = generating()
    return replace(estimate(seen, replace(known(seen), price=NODE), market(seen, "T4", "H100")), service=LLM)


def blind_migration() -> MigrationEstimate:
    return MigrationEstimate(service=LOADED, needs=Need(kind="profile", text="a profile of its workers under load"))
