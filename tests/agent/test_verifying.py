"""How outcomes read on a terminal, and how the ledger's documents are kept."""

import msgspec

from advisor.documents import OutcomesDocument
from advisor.history import History
from advisor.ledger.changes import Identity, Remembered
from advisor.ledger.configuration import LeverChange
from advisor.ledger.snapshot import LedgerSnapshot
from agent.config import Config
from agent.judging import Judging
from agent.ledger_log import RENEW_SECONDS, LedgerLog, kept
from agent.verifying import outcome_text, outcomes_text
from collectors.reading import Instant
from tests.agent.http.test_outcomes import DOCUMENT, MEASURED, VERIFIED

CONFIGURED = Remembered(
    service="1",
    identity=Identity(framework="gunicorn", application="a", owner=None),
    levers={"workers": 2},
    seen_wall_ns=1,
)


def test_an_outcome_names_the_change_the_promise_and_the_numbers():
    lines = outcome_text(VERIFIED).splitlines()
    assert lines[0] == "2026-11-20T10:00:00Z  gunicorn/a:1: compute_threads default → 1"
    assert lines[1] == "  verified: it helped"
    assert lines[2] == "  asked for by cpu-oversubscribed-openmp (f1)"
    assert lines[3] == "  throughput_ratio 5 (4–6), from 10 to 50: requests; inside what was promised"


def test_what_is_not_compared_says_why_and_what_did_not_help_how_to_undo_it():
    unmatched = msgspec.structs.replace(MEASURED, matched=False, because="half the load")
    back = LeverChange(lever="compute_threads", old=1, new="default")
    refuted = msgspec.structs.replace(
        VERIFIED, state="refuted", final=False, measured=(unmatched,), rollback=(back,), changes=(), covered={}
    )
    text = outcome_text(refuted)
    assert "a change that no lever shows" in text
    assert "refuted so far" in text
    assert "; not compared: half the load" in text
    assert "to undo it: compute_threads back to default" in text


def test_scores_stand_beside_constants_of_a_table():
    text = outcomes_text(DOCUMENT)
    assert "  all: 1 measured, 100% inside, width 1.39, score 1.39; constants of a table 100%" in text
    assert outcomes_text(OutcomesDocument(outcomes=(), scores=())) == "no change was noticed yet"


def test_a_configuration_is_written_when_it_changes_and_now_and_then():
    written = []
    log = LedgerLog(lambda kind, key, body: written.append((kind, key)), lambda kind, key: None)
    for seconds, levers in (
        (0, {"workers": 2}),
        (5, {"workers": 2}),
        (10, {"workers": 3}),
        (15 + RENEW_SECONDS, {"workers": 3}),
    ):
        log.take((), (), (msgspec.structs.replace(CONFIGURED, levers=levers),), seconds)
    assert written == [("configuration", "1")] * 3
    log.take((VERIFIED,), (), (), 0.0)
    assert written[-1] == ("outcome", "o1")


def test_what_the_ledger_has_forgotten_is_not_kept():
    rows = {("configuration", "1"): b"", ("outcome", "o1"): b""}
    log = LedgerLog(lambda kind, key, body: rows.update({(kind, key): body}), lambda *row: rows.pop(row))
    log.recall(LedgerSnapshot(outcomes=(VERIFIED,), configured=(CONFIGURED,)))
    log.take((), ("o1",), (msgspec.structs.replace(CONFIGURED, service="2"),), 0.0)
    assert list(rows) == [("configuration", "2")]


def test_a_terminal_gets_nothing_that_it_would_obey():
    hostile = LeverChange(lever="model a\x1b[2J", old="1\n  verified: it helped", new="\x1b]0;x\x07")
    text = outcome_text(msgspec.structs.replace(VERIFIED, changes=(hostile,)))
    assert text.splitlines()[0].endswith("model a?[2J 1?  verified: it helped → ?]0;x?")


def test_what_was_kept_is_taken_up_and_what_cannot_be_read_is_left_out():
    found = kept([msgspec.json.encode(VERIFIED), b"{}", b"no json"], [msgspec.json.encode(CONFIGURED), b"[]"])
    assert found == LedgerSnapshot(outcomes=(VERIFIED,), configured=(CONFIGURED,))
    judging = Judging(Config(), History(), lambda: Instant(0, 0))
    judging.recall(found)
    assert judging.outcomes().outcomes == (VERIFIED,)
    assert [one.levers for one in judging.learnt()[2]] == [{"workers": 2}]
