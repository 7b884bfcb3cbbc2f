"""What models hold of devices is learnt where they are, kept across restarts, and used where they may go."""

import msgspec
import pytest
from msgspec.structs import replace

from advisor.ledger.snapshot import LedgerSnapshot
from advisor.migration.vram_calibration import VramCalibration
from agent.config import Config
from agent.judging import Judging
from agent.ledger_log import kept
from agent.migrating import Migrations
from collectors.reading import Instant
from tests.advisor.migration.migrating import AVX512, encoder, known
from tests.advisor.migration.test_vram_calibration import KEY, PREDICTED, bert, learnt, on_device
from tests.advisor.test_history import Node


def test_what_one_service_holds_on_a_device_corrects_what_is_said_of_another_on_cpus():
    migrations, seen = Migrations(Config()), encoder()
    model = replace(seen.service.models[0], files=(bert(),))
    seen = replace(seen, service=replace(seen.service, id="other", models=(model,)))
    facts = replace(known(seen), cpu=AVX512)
    before = migrations.of(seen, facts, ())
    assert before is not None
    assert migrations.of(*on_device(round(1.5 * PREDICTED)), ()) is None
    after = migrations.of(seen, facts, ())
    assert after is not None
    assert after.devices[0].fit.need == pytest.approx(1.5 * before.devices[0].fit.need, rel=1e-3)
    assert after.assumes[-1] == "memory: observed 1.50 × the prediction in 1 service (gunicorn, BertModel, F32)"
    assert migrations.of(*on_device(round(1.51 * PREDICTED)), ()) is None
    assert migrations.of(seen, facts, ()) is after, "that little is no news"


def test_another_configuration_of_a_service_begins_anew():
    node = Node()
    judging = Judging(Config(), node.history, lambda: Instant(0, 0))
    judging.migrations.vram.learn(KEY, node.service.id, 1.5)
    judging.migrations.vram.learn(KEY, "another", 1.4)
    for _ in range(20):
        node.second(0.4)
    judging.judge((node.service,), Instant(20 * 10**9, 20 * 10**9))
    assert [one.count for one in judging.learnt()[3]] == [2]
    judging._changed = lambda *of: True
    judging.judge((node.service,), Instant(25 * 10**9, 25 * 10**9))
    assert [one.ratios for one in judging.learnt()[3]] == [(("another", 0.3365),)]


def test_what_cannot_be_read_is_left_out_and_a_recording_carries_the_rest():
    seen = learnt(1.2)
    (one,) = seen.entries
    found = kept((), (), [msgspec.json.encode(one), b"{}", b"no json"])
    assert found.vram == (one,)
    body = msgspec.json.encode(found)
    assert msgspec.json.decode(body, type=LedgerSnapshot) == found
    assert msgspec.json.decode(b"{}", type=LedgerSnapshot).vram == ()
    again = VramCalibration()
    again.recall(msgspec.json.decode(body, type=LedgerSnapshot).vram)
    assert again.entries == (one,)
