"""How does a person start the measuring of a change, and read what came of it?"""

import time
from collections.abc import Iterator, Sequence

from advisor.documents import OutcomesDocument
from advisor.ledger.outcome import Measured, Outcome
from advisor.ledger.scores import Score
from agent.client import Client
from agent.errors import CliError
from agent.http.outcomes import VerifyRequest
from agent.life import find

POLL_SECONDS = 2.0


def verify(client: Client, word: str, since: str | None, wait_seconds: float) -> Outcome:
    """Begin, and wait until it is measured or the time is over. Raises CliError."""
    try:
        request = VerifyRequest(since=since)
    except ValueError as error:
        raise CliError("verify.invalid", str(error), "see nodewright verify --help") from error
    outcome: Outcome = client.post(f"/v1/advice/{find(client, word)}/verify", request, Outcome)
    until = time.monotonic() + wait_seconds
    while not outcome.final and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        outcome = client.get(f"/v1/outcomes/{outcome.id}", Outcome)
    return outcome


def outcomes(client: Client, service: str | None, rule: str | None) -> OutcomesDocument:
    query = {name: value for name, value in (("service", service), ("rule", rule)) if value is not None}
    found: OutcomesDocument = client.get("/v1/outcomes", OutcomesDocument, query)
    return found


def outcome_text(outcome: Outcome) -> str:
    return "\n".join(_shown(line) for line in _outcome(outcome))


def outcomes_text(found: OutcomesDocument) -> str:
    if not found.outcomes:
        return "no change was noticed yet"
    lines = [line for one in found.outcomes for line in _outcome(one)]
    return "\n".join(_shown(line) for line in [*lines, *_scores(found.scores)])


def _shown(line: str) -> str:
    """Values of levers come from files and from command lines of others: what a terminal would obey is not shown."""
    return "".join(char if char.isprintable() else "?" for char in line)


def _outcome(outcome: Outcome) -> Iterator[str]:
    made = ", ".join(f"{c.lever} {c.old} → {c.new}" for c in outcome.changes) or "a change that no lever shows"
    state = outcome.state if outcome.final else f"{outcome.state} so far"
    yield f"{outcome.changed_at}  {outcome.service}: {made}"
    yield f"  {state}: {outcome.because}"
    for promise in outcome.promises:
        yield f"  asked for by {promise.rule} ({promise.finding[:8]}){'' if promise.as_proposed else ', not as proposed'}"
    for one in outcome.measured:
        yield f"  {_measured(one, outcome)}"
    for change in outcome.rollback:
        yield f"  to undo it: {change.lever} back to {change.new}"


def _measured(one: Measured, outcome: Outcome) -> str:
    ratio = f"{_three(one.ratio)} ({_three(one.low)}–{_three(one.high)})"
    text = f"{one.metric} {ratio}, from {_three(one.before)} to {_three(one.after)}: {one.what}"
    if not one.matched:
        return f"{text}; not compared: {one.because}"
    held = outcome.covered.get(one.metric)
    return text if held is None else f"{text}; {'inside' if held else 'outside'} what was promised"


def _three(value: float) -> str:
    """Three digits at least, and no exponent where that is long."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _scores(scores: Sequence[Score]) -> Iterator[str]:
    if scores:
        yield "promises so far (interval score: lower is better; widths are of natural logarithms)"
    for one in scores:
        about = "all" if one.metric is None else f"{one.rule} {one.metric}"
        yield (
            f"  {about}: {one.outcomes} measured, {one.coverage:.0%} inside, width {one.width:.2f}, score {one.score:.2f}; "
            f"constants of a table {one.constant_coverage:.0%}, {one.constant_score:.2f}"
        )
