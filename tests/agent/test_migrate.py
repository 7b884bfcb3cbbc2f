"""What a person asks of moving work: the agent's answer, and the same under other circumstances."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from advisor.finding import Need
from advisor.migration.estimate import estimate
from advisor.migration.result import MigrationEstimate
from agent.config import Config
from agent.config_sources import load_config
from agent.errors import CliError
from agent.migrate import migrate, text
from agent.migrating import Migrations
from tests.advisor.gpus_built import A5000
from tests.advisor.migration.migrating import AVX512, NODE, encoder, generating, known, market

SEEN = encoder()
BLIND = MigrationEstimate(service="gunicorn/other:1", needs=Need(kind="profile", text="a profile of its workers"))


class Agent:
    """Answers as `/v1/migration` does."""

    def __init__(self, *more: MigrationEstimate) -> None:
        facts = replace(known(SEEN), price=NODE)
        self.found = (estimate(SEEN, facts, market(SEEN, "L4", L4=1.2)), *more)

    def get(self, path: str, kind: Any) -> Any:
        assert path == "/v1/migration"
        return self.found


def asked(*what_if: str, devices: tuple[str, ...] = (), config: Config | None = None, **other: Any):
    return migrate(Agent(BLIND), config or Config(), other.get("service"), devices, what_if, priced=config is not None)


def test_the_answer_of_the_agent_reads_as_text():
    said = text(asked())
    assert "gunicorn/app:8000: 78.4 requests a second, 200 ms of CPU time each" in said
    assert "L4 (not in this node, grade C; not validated" in said
    assert "candidate" in said
    assert "it pays from" in said
    assert "gunicorn/other:1: cannot tell, needs a profile of its workers" in said
    assert text(()) == "no service on CPUs was found (see: nodewright doctor)"


def test_latency_at_the_load_and_alone_read_as_text():
    (found, _) = asked()
    (device,) = found.devices
    assert device.simulated is not None
    told = device.simulated.at_load
    assert told is not None
    mean, alone, slow = (
        f"{one.p10 * 1e3:.3g} to {one.p90 * 1e3:.3g} ms" for one in (told.seconds, told.alone_seconds, told.p99_seconds)
    )
    said = text((found,))
    assert (
        f"at 78.4 requests a second: {mean} a request with its waits (alone {alone}), 99 of 100 within {slow}, 1 computed "
        f"together, {told.busy.p10:.0%} to {told.busy.p90:.0%} of what it can do"
    ) in said
    assert "in batches of 32 at most" in said
    (more, _) = asked("load=5000")
    assert more.devices[0].simulated is not None
    assert more.devices[0].simulated.at_load is not None
    nodes = more.devices[0].simulated.at_load.nodes
    assert f"at 5e+03 requests a second on {nodes.p10:.0f} to {nodes.p90:.0f} of them: " in text((more,))
    document = msgspec.json.decode(msgspec.json.encode(found))["devices"][0]["simulated"]["at_load"]
    assert set(document) == {"per_second", "nodes", "batch", "alone_seconds", "seconds", "p99_seconds", "busy"}


def test_a_million_tokens_read_as_text():
    seen = generating()
    found = estimate(seen, replace(known(seen), price=NODE), market(seen, "A100 80GB", **{"A100 80GB": 3.6}))
    said = text((found,))
    assert "cost of 1 million generated tokens: 1.11 EUR now, 2.5 moved, at this load; " in said
    assert "cost of 1 million tokens, prompts included: 0.185 EUR now, 0.417 moved, at this load; " in said
    assert "tokens" not in text(asked())


def test_an_agent_that_tells_less_is_understood():
    """One of before: no latency at the load, no prices of tokens."""
    document = msgspec.to_builtins(asked()[0])
    del document["devices"][0]["simulated"]["at_load"]
    for key in ("generated_tokens", "all_tokens"):
        del document["devices"][0]["costs"][key]
    for key in ("prompt_tokens", "generated_tokens"):
        del document["situation"]["work"][key]
    del document["situation"]["tail"]
    older = msgspec.convert(document, MigrationEstimate)
    assert "latency ×" in text((older,))
    assert "with its waits" not in text((older,))


def test_names_that_a_terminal_would_obey_are_shown_as_they_are():
    hostile = MigrationEstimate(service="app\x1b[2J:1", needs=Need(kind="profile", text="a profile"))
    assert "\x1b" not in text((hostile,))


def test_other_devices_and_prices(tmp_path: Path):
    file = tmp_path / "prices.toml"
    file.write_text('[prices]\ncurrency = "EUR"\nhourly = 0.8\n[devices.H100]\nhourly = 80\n')
    config = load_config(None, environ={}, system_file=tmp_path / "x", flags={"prices.file": str(file)}).config
    (found, _) = asked(devices=("h100", "T4"), config=config)
    verdicts = {one.device: one.verdict for one in found.devices}
    assert verdicts == {"H100": "not worth it", "T4": "possible"}, "of the T4 no price is stated"


def test_what_if_the_load_were_another():
    (found, _) = asked("load=5")
    assert found.situation is not None
    assert found.situation.work.per_second == 5
    assert found.devices[0].device == "L4"
    (slower, _) = asked("part=0.3")
    assert slower.devices[0].verdict == "not worth it"
    assert asked("cores=1e11", "load=5")[0].devices, "as many are not counted one by one"
    (wanted, _) = asked("slo=100ms", "cores=4")
    assert wanted.situation is not None
    assert (wanted.situation.slo_p99_seconds, wanted.situation.cores) == (0.1, 4)


def on_this_node(*names: str, config: Config | None = None) -> Agent:
    """The agent of a node with these GPUs, which is asked about the encoder."""
    views = [replace(A5000, name=name, uuid=name) for name in names]
    found = Migrations(config or Config()).of(SEEN, replace(known(SEEN), cpu=AVX512, price=NODE), views)
    assert found is not None
    agent = Agent()
    agent.found = (msgspec.convert(msgspec.to_builtins(found), MigrationEstimate),)
    return agent


def test_a_card_of_the_node_that_the_catalogue_does_not_have_stays_when_it_is_worked_out_again(tmp_path: Path):
    agent = on_this_node("NVIDIA RTX A5000", "NVIDIA H20")
    said = text(agent.found)
    assert "RTX A5000 (in this node, grade" in said
    assert (
        "NVIDIA H20 in this node: not judged, it is sold with fewer operations than its multiprocessors could do"
        in said
    )
    assert (
        "assumed: RTX A5000: derived from NVML: 64 multiprocessors at 80% of 2100 MHz, a memory bus of 384 bit" in said
    )
    file = tmp_path / "prices.toml"
    file.write_text('[prices]\ncurrency = "EUR"\nhourly = 0.8\n[devices."NVIDIA RTX A5000"]\nhourly = 0.1\n')
    config = load_config(None, environ={}, system_file=tmp_path / "x", flags={"prices.file": str(file)}).config
    (again,) = migrate(agent, config, None, (), ("load=40",), priced=True)
    (device,) = again.devices
    assert (device.device, device.present, again.left_out) == ("RTX A5000", True, agent.found[0].left_out)
    assert device.costs is not None
    (asked_for,) = migrate(agent, config, None, ("nvidia rtx a5000", "L4"), (), priced=False)
    assert [one.device for one in asked_for.devices] == ["RTX A5000", "L4"]


AGENTS = """
[devices]
currency = "EUR"
[devices."nvidia rtx a5000"]
hourly = 0.5
[devices.L4]
memory = 12
hourly = 1.2
[devices.X1]
memory = 16
bandwidth = 500
fp16 = 100
"""


def configuration(folder: Path, text_: str) -> Config:
    file = folder / "given.toml"
    file.write_text(text_)
    return load_config(file, environ={}, system_file=folder / "x").config


def test_what_the_agents_owner_states_holds_where_the_caller_states_nothing(tmp_path: Path):
    agent = on_this_node("NVIDIA RTX A5000", config=configuration(tmp_path, AGENTS))
    before = {one.device: one for one in agent.found[0].devices}
    assert set(before) == {"L4", "X1", "RTX A5000"}
    assert before["RTX A5000"].costs is not None
    for names in ((), ("l4", "x1", "rtx a5000")):
        (again,) = migrate(agent, Config(), None, names, ("cores=16",), priced=False)
        after = {one.device: one for one in again.devices}
        assert set(after) == set(before)
        assert after["L4"].fit.free == before["L4"].fit.free == 12 * 2**30, "not the 24 GB of the catalogue"
        for name in ("L4", "RTX A5000"):
            assert after[name].costs is not None
            assert after[name].costs == before[name].costs
        assert again.stated == agent.found[0].stated


def test_what_the_caller_states_wins(tmp_path: Path):
    agent = on_this_node("NVIDIA RTX A5000", config=configuration(tmp_path, AGENTS))
    said = '[devices]\ncurrency = "EUR"\n[devices.L4]\nmemory = 10\nhourly = 2.4\n[devices."RTX-A5000"]\nhourly = 1.0\n'
    (again,) = migrate(agent, configuration(tmp_path, said), None, (), ("cores=16",), priced=False)
    before, after = ({one.device: one for one in each.devices} for each in (agent.found[0], again))
    assert after["L4"].fit.free == 10 * 2**30
    for name in ("L4", "RTX A5000"):
        (old, new) = (before[name].costs, after[name].costs)
        assert old is not None
        assert new is not None
        assert new.at_load_moved.p50 == pytest.approx(2 * old.at_load_moved.p50)
    priced_only = configuration(tmp_path, '[devices.L4]\nhourly = 2.4\ncurrency = "EUR"')
    (again,) = migrate(agent, priced_only, None, ("L4",), (), priced=False)
    assert again.devices[0].fit.free == 12 * 2**30, "a price says nothing of what it can do"


def test_prices_in_two_currencies_are_said_to_differ(tmp_path: Path):
    config = configuration(tmp_path, '[devices.L4]\nhourly = 1\ncurrency = "USD"')
    (found, _) = migrate(Agent(BLIND), config, None, (), ("load=40",), priced=False)
    (device,) = found.devices
    assert device.costs is None
    assert device.flips == (
        "an objective that is missed (slo_p99), or prices in one currency: the node's is in EUR, the device's in USD",
    )


def test_a_verdict_turns_with_the_load_that_is_supposed(tmp_path: Path):
    file = tmp_path / "prices.toml"
    file.write_text('[prices]\ncurrency = "EUR"\nhourly = 0.8\n[devices.L4]\nhourly = 1.2\n')
    config = load_config(None, environ={}, system_file=tmp_path / "x", flags={"prices.file": str(file)}).config
    verdicts = {load: asked(f"load={load}", config=config)[0].devices[0].verdict for load in (5, 40, 75)}
    assert verdicts == {5: "not worth it", 40: "not worth it", 75: "candidate"}


def test_one_service_by_the_beginning_of_its_name():
    assert [one.service for one in asked(service="gunicorn/other")] == ["gunicorn/other:1"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"service": "none"}, "nothing is known of a service 'none'"),
        ({"devices": ("GTX 970",)}, "no device 'GTX 970' is known"),
        ({"devices": ("a100",)}, "device 'a100' may be A100 40GB or A100 80GB or A100 80GB PCIe"),
    ],
)
def test_what_is_not_known_is_one_line(arguments: dict[str, Any], says: str):
    with pytest.raises(CliError, match=says):
        asked(**arguments)


@pytest.mark.parametrize(
    "change", ["load", "load=", "load=-3", "load=nan", "part=1.5", "slo=fast", "slo=0s", "colour=red", "cores=1e99"]
)
def test_a_supposition_that_makes_no_sense_is_one_line(change: str):
    with pytest.raises(CliError, match="--what-if"):
        asked(change)


def test_it_is_worked_out_again_for_another_profile_or_load_only():
    migrations = Migrations(Config())
    facts = replace(known(SEEN), cpu=AVX512)
    first = migrations.of(SEEN, facts, ())
    assert first is not None
    assert first.devices[0].device == "L4"
    assert migrations.of(replace(SEEN, requests_per_second=80.0), facts, ()) is first
    wavering = [migrations.of(replace(SEEN, requests_per_second=rate), facts, ()) for rate in (84.0, 87.0, 84.0, 76.0)]
    assert all(one is first for one in wavering), "it is held against what it was made at"
    assert migrations.of(replace(SEEN, requests_per_second=200.0), facts, ()) is not first
    assert migrations.of(SEEN, replace(facts, profile=replace(facts.profile, age_seconds=1.0)), ()) is not first
    assert migrations.known((SEEN.service,))[0].service == SEEN.service.name
    migrations.keep_only({})
    assert migrations.known((SEEN.service,)) == ()


def test_what_if_the_device_computed_so_many_requests_at_a_time():
    (one,) = asked("batch=1")[:1]
    (many,) = asked("batch=16")[:1]
    simulated = [found.devices[0].simulated for found in (one, many)]
    assert all(simulated)
    assert [seen.batch for seen in simulated if seen] == [1, 16]
    assert simulated[0].per_second.p50 < simulated[1].per_second.p50  # type: ignore[union-attr]
    with pytest.raises(CliError, match="from 1 to 4096"):
        asked("batch=1000000")
