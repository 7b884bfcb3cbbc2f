"""Settings come from files, environment and flags; each keeps its origin; what is wrong is one line that says where."""

from pathlib import Path

import pytest

from agent.config import LoadedConfig, PricesSettings
from agent.config_report import as_text, json_schema, shown_settings
from agent.config_sources import environment_name, load_config, plain_settings
from agent.errors import CliError
from agent.settings import Kind, settings_of

RULES = {"gil-bound-worker": frozenset({"gil_ratio"}), "cgroup-cpu-throttled": frozenset({"throttled_ratio"})}


def load(tmp_path: Path, text: str = "", environ: dict[str, str] | None = None, **flags: object) -> LoadedConfig:
    file = tmp_path / "given.toml"
    file.write_text(text)
    return load_config(
        file,
        environ={"HOME": str(tmp_path / "home")} | (environ or {}),
        flags={f"agent.{name}": value for name, value in flags.items()},
        system_file=tmp_path / "system.toml",
        rule_thresholds=lambda: RULES,
    )


def problem(tmp_path: Path, text: str, environ: dict[str, str] | None = None, **flags: object) -> CliError:
    with pytest.raises(CliError) as raised:
        load(tmp_path, text, environ, **flags)
    assert raised.value.exit_status == 2
    assert "\n" not in str(raised.value)
    return raised.value


def test_without_any_source_every_setting_has_its_default(tmp_path):
    loaded = load(tmp_path)
    assert loaded.config.agent.listen == "127.0.0.1:9753"
    assert loaded.config.agent.interval_seconds == 1.0
    assert loaded.config.store.size_cap_bytes == 2 << 30
    assert loaded.config.advice.hold_down_seconds == 900
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == set(plain_settings())


def test_later_sources_override_earlier_ones_and_leave_their_origin(tmp_path):
    (tmp_path / "system.toml").write_text(
        '[agent]\ninterval = "2s"\nnode = "system"\nlog_level = "debug"\nlisten = "127.0.0.1:1"\nevaluate_interval = "9s"'
    )
    user = tmp_path / "home/.config/nodewright/nodewright.toml"
    user.parent.mkdir(parents=True)
    user.write_text('[agent]\ninterval = "3s"\nnode = "user"\nlog_level = "error"\nlisten = "127.0.0.1:2"')
    text = '[agent]\ninterval = "4s"\nnode = "given"\nlisten = "127.0.0.1:3"'
    environ = {"NODEWRIGHT_AGENT_INTERVAL": "5s", "NODEWRIGHT_AGENT_LISTEN": "127.0.0.1:4"}
    loaded = load(tmp_path, text, environ, interval="6s")
    agent = loaded.config.agent
    assert (agent.evaluate_interval_seconds, agent.log_level, agent.node) == (9.0, "error", "given")
    assert (agent.listen, agent.interval_seconds) == ("127.0.0.1:4", 6.0)
    assert {key: loaded.origins[f"agent.{key}"] for key in ("evaluate_interval", "log_level", "node")} == {
        "evaluate_interval": f"file {tmp_path / 'system.toml'}",
        "log_level": f"file {user}",
        "node": f"file {tmp_path / 'given.toml'}",
    }
    assert loaded.origins["agent.listen"] == "environment NODEWRIGHT_AGENT_LISTEN"
    assert loaded.origins["agent.interval"] == "flag --interval"
    assert loaded.origins["agent.db"] == "default"


def test_the_users_file_follows_xdg_config_home(tmp_path):
    file = tmp_path / "xdg/nodewright/nodewright.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[agent]\nnode = "xdg"')
    assert load(tmp_path, environ={"XDG_CONFIG_HOME": str(tmp_path / "xdg")}).config.node_name == "xdg"


@pytest.mark.parametrize(
    ("text", "named", "near"),
    [
        ('[agent]\nintervall = "1s"', "agent.intervall", "agent.interval"),
        ('[agnt]\ninterval = "1s"', "agnt", "agent"),
        ('listen = "127.0.0.1:1"', "listen", "agent.listen"),
        ('[service."a/b:1"]\nslo = "1s"', 'service."a/b:1".slo', 'service."a/b:1".slo_p99'),
        ("[rule.gil-bound-worke]\nenabled = false", "rule.gil-bound-worke", "gil-bound-worker"),
        ("[rule.gil-bound-worker]\ngil_ration = 0.5", "gil_ration", "rule.gil-bound-worker.gil_ratio"),
    ],
)
def test_an_unknown_key_names_file_key_and_the_nearest_valid_one(tmp_path, text, named, near):
    error = problem(tmp_path, text)
    assert error.key == "config.unknown-key"
    assert str(tmp_path / "given.toml") in error.message
    assert named in error.message
    assert error.hint == f"did you mean {near}?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[agent]\ninterval = 5", "5 is a bare number"),
        ('[agent]\ninterval = "5"', "'5' has no unit"),
        ('[agent]\ninterval = "1ms"', "too small; the least is 100ms"),
        ("[agent]\nsidecar = 1", "1 is not true or false"),
        ('[agent]\nlisten = "9753"', "HOST:PORT"),
        ('[agent]\nlog_level = "loud"', "debug, info, warning, error"),
        ('[store]\nsize_cap = "2"', "no unit"),
        ("[node]\nmemory_bandwidth = '40GiB'", "write 40GiB/s"),
        ("[budget]\ncpu_ratio = nan", "not a number"),
        ("[budget]\ncpu_ratio = 2", "too large"),
        ("[http]\nallowed_hosts = 'a'", "not a list"),
        ("[service.x]\nobjective = 'speed'", "latency, throughput, cost"),
        ("[service.x]\npattern = '('", "not a regular expression"),
        ("[service.x]\nmetrics_url = 'http://user:secret@h/'", "password"),
        ("service.x = 1", "not a table"),
        ("agent = 1", "not a table"),
        ("[prices]\nhourly = -1", "prices.hourly: -1"),
        ("[devices.l4]\nhourly = '0.7'", "devices.l4.hourly"),
        ("[devices.l4]\namortisation = '3'", "no unit"),
        ("[rule.gil-bound-worker]\ngil_ratio = 'x'", "not a number"),
    ],
)
def test_a_bad_value_names_file_key_and_what_to_write(tmp_path, text, said):
    error = problem(tmp_path, text)
    assert error.key == "config.bad-value"
    assert str(tmp_path / "given.toml") in error.message
    assert said in error.message


def test_a_password_in_an_address_is_not_repeated(tmp_path):
    assert "hunter2" not in str(problem(tmp_path, "[service.x]\nmetrics_url = 'http://user:hunter2@h/'"))


@pytest.mark.parametrize("text", ["a = [[", "[agent", "a = " + "[" * 5000, "\x00", "[agent]\n[agent]"])
def test_broken_toml_is_one_line_with_the_file(tmp_path, text):
    error = problem(tmp_path, text)
    assert error.key == "config.broken"
    assert str(tmp_path / "given.toml") in error.message


def test_files_that_cannot_be_read_are_one_line_and_absent_usual_files_are_no_error(tmp_path):
    for file, key in ((tmp_path / "absent.toml", "config.missing"), (tmp_path, "config.unreadable")):
        with pytest.raises(CliError) as raised:
            load_config(file, environ={}, system_file=tmp_path / "none.toml")
        assert raised.value.key == key
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(CliError, match="not UTF-8"):
        load_config(binary, environ={}, system_file=tmp_path / "none.toml")
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(CliError, match="larger than 1 MiB"):
        load_config(huge, environ={}, system_file=tmp_path / "none.toml")
    assert load_config(environ={"HOME": "/nonexistent"}, system_file=tmp_path / "none.toml").files == ()


def test_an_unknown_environment_setting_names_the_nearest_but_service_links_are_left_alone(tmp_path):
    error = problem(tmp_path, "", {"NODEWRIGHT_AGENT_LISTN": "x"})
    assert error.hint == "did you mean NODEWRIGHT_AGENT_LISTEN?"
    links = {
        "NODEWRIGHT_SERVICE_HOST": "10.0.0.1",
        "NODEWRIGHT_SERVICE_PORT": "9753",
        "NODEWRIGHT_SERVICE_PORT_HTTP": "9753",
        "NODEWRIGHT_PORT": "tcp://10.0.0.1:9753",
        "NODEWRIGHT_PORT_9753_TCP_ADDR": "10.0.0.1",
        "NODEWRIGHT_TOKEN": "used by clients",
    }
    assert set(load(tmp_path, "", links).origins.values()) == {"default"}


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("NODEWRIGHT_AGENT_SIDECAR", "no", lambda c: c.agent.sidecar is False),
        ("NODEWRIGHT_BUDGET_CPU_RATIO", "0.5", lambda c: c.budget.cpu_ratio == 0.5),
        ("NODEWRIGHT_HTTP_ALLOWED_HOSTS", "a, b", lambda c: c.http.allowed_hosts == ("a", "b")),
        ("NODEWRIGHT_STORE_SIZE_CAP", "1GiB", lambda c: c.store.size_cap_bytes == 1 << 30),
        (
            "NODEWRIGHT_NODE_MEMORY_BANDWIDTH",
            "204.8GB/s",
            lambda c: c.node.memory_bandwidth_bytes_per_second == 204_800_000_000,
        ),
    ],
)
def test_the_environment_writes_every_kind_of_setting_as_text(tmp_path, name, text, read):
    assert read(load(tmp_path, "", {name: text}).config)


def test_a_bad_environment_value_or_flag_names_its_source(tmp_path):
    assert "NODEWRIGHT_AGENT_SIDECAR: agent.sidecar: 'maybe'" in str(
        problem(tmp_path, "", {"NODEWRIGHT_AGENT_SIDECAR": "maybe"})
    )
    assert "--interval: agent.interval: '5'" in str(problem(tmp_path, "", interval="5"))


def test_services_rules_prices_and_devices_are_read(tmp_path):
    loaded = load(
        tmp_path,
        """
[service."gunicorn/app:8000"]
slo_p99 = "200ms"
objective = "latency"
[rule.gil-bound-worker]
enabled = false
gil_ratio = 0.7
[prices]
currency = "EUR"
as_of = 2026-11-01
hourly = 0.12
[devices.l4]
purchase_price = 2500
amortisation = "3y"
""",
    )
    own = loaded.config.for_service("gunicorn/app:8000")
    assert (own.slo_p99_seconds, own.objective) == (0.2, "latency")
    assert loaded.config.for_service("other").objective is None
    rule = loaded.config.rule["gil-bound-worker"]
    assert (rule.enabled, dict(rule.thresholds)) == (False, {"gil_ratio": 0.7})
    assert loaded.config.prices == PricesSettings(currency="EUR", as_of="2026-11-01", hourly=0.12)
    assert loaded.config.devices == {"l4": {"purchase_price": 2500, "amortisation": "3y"}}
    origin = f"file {tmp_path / 'given.toml'}"
    assert loaded.origins['service."gunicorn/app:8000".slo_p99'] == origin
    assert loaded.origins["rule.gil-bound-worker.gil_ratio"] == origin
    assert loaded.origins["devices.l4.amortisation"] == origin


def test_rules_are_not_loaded_where_no_section_names_one(tmp_path):
    def refuse():
        raise AssertionError("the catalogue was loaded")

    load_config(environ={}, system_file=tmp_path / "none.toml", rule_thresholds=refuse)


def test_shown_settings_read_back_as_the_same_configuration(tmp_path):
    loaded = load(
        tmp_path,
        '[agent]\ninterval = "1500ms"\ndb = "/x/state.db"\n[http]\nallowed_hosts = ["a"]\n[node]\nmemory_bandwidth = "40GiB/s"',
    )
    rows = {row["key"]: row for row in shown_settings(loaded)}
    assert rows["agent.interval"] == {
        "key": "agent.interval", "value": "1500ms", "origin": f"file {tmp_path / 'given.toml'}",
    }  # fmt: skip
    assert rows["agent.db"]["value"] == "/x/state.db"
    assert rows["node.memory_bandwidth"]["value"] == "40GiB/s"
    assert rows["agent.node"]["value"] is None
    assert 'agent.interval = "1500ms"' in as_text(list(rows.values()))
    toml: dict[str, list[str]] = {}
    for line in as_text(list(rows.values())).splitlines():
        section, _, rest = line.partition(".")
        if "(not set)" not in line:
            toml.setdefault(section, []).append(rest)
    text = "\n".join(f"[{section}]\n" + "\n".join(lines) for section, lines in toml.items())
    assert load(tmp_path, text).config == loaded.config


def test_every_setting_has_a_sentence_and_a_unit_in_its_attribute():
    from agent.config import NAMED_SECTIONS, PLAIN_SECTIONS

    for section in (*PLAIN_SECTIONS.values(), *NAMED_SECTIONS.values()):
        for key, attribute, spec in settings_of(section):
            assert spec.doc.endswith("."), key
            assert attribute.endswith("_seconds") == (spec.kind is Kind.DURATION)
            assert attribute.endswith("_bytes") == (spec.kind is Kind.SIZE)
            assert attribute.endswith("_bytes_per_second") == (spec.kind is Kind.RATE)


def test_no_two_settings_share_an_environment_name():
    names = [environment_name(key) for key in plain_settings()]
    assert len(names) == len(set(names))


def test_the_schema_describes_every_setting_with_its_default():
    schema = json_schema()
    assert schema["additionalProperties"] is False
    for key in plain_settings():
        section, _, name = key.partition(".")
        described = schema["properties"][section]["properties"][name]
        assert described["description"]
    assert schema["properties"]["agent"]["properties"]["interval"]["default"] == "1s"
    assert schema["properties"]["rule"]["additionalProperties"]["additionalProperties"]["type"] == "number"


def test_other_nodes_are_known_by_name_and_their_addresses_checked(tmp_path):
    loaded = load(tmp_path, '[nodes."gpu 1"]\nurl = "unix:/run/a.sock"\ntoken_file = "/tokens/a"\n')
    assert loaded.config.nodes["gpu 1"].url == "unix:/run/a.sock"
    assert loaded.config.nodes["gpu 1"].token_file == Path("/tokens/a")
    assert "not an http" in str(problem(tmp_path, '[nodes.a]\nurl = "a:1"\n'))
    assert "nodes.a.url" in str(problem(tmp_path, '[nodes.a]\nurls = "http://a:1"\n'))
