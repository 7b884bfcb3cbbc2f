"""Do the units parse, and do they grant exactly what each process needs?"""

import configparser
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[1] / "systemd"
COMMAND = "/opt/nodewright/bin/nodewright"


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((UNITS / name).read_text("ascii"))
    return parser


def lines_of(name: str) -> list[str]:
    return (UNITS / name).read_text("ascii").splitlines()


def test_the_agent_holds_no_privilege() -> None:
    service = unit("nodewright.service")["Service"]
    assert service["User"] == "nodewright"
    assert service["CapabilityBoundingSet"] == ""
    assert service["AmbientCapabilities"] == ""
    assert service["NoNewPrivileges"] == "yes"


def test_the_sidecar_holds_two_capabilities_and_no_network() -> None:
    service = unit("nodewright-sidecar.service")["Service"]
    two = {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}
    assert set(service["AmbientCapabilities"].split()) == two
    assert set(service["CapabilityBoundingSet"].split()) == two
    assert service["User"] == "nodewright-sidecar"
    assert service["PrivateNetwork"] == "yes"
    assert service["RestrictAddressFamilies"] == "AF_UNIX"


def test_webhooks_and_profiles_can_leave_the_agents_unit() -> None:
    service = unit("nodewright.service")["Service"]
    families = set(service["RestrictAddressFamilies"].split())
    assert {"AF_INET", "AF_INET6"} <= families, "connections"
    assert {"AF_UNIX", "AF_NETLINK"} <= families, "getaddrinfo(3) asks systemd-resolved and for the interfaces"
    closed = {
        "IPAddressDeny",
        "IPAddressAllow",
        "PrivateNetwork",
        "InaccessiblePaths",
        "SocketBindDeny",
        "RootDirectory",
    }
    assert not closed & set(service)
    assert "~@network-io" not in service["SystemCallFilter"]
    assert service["ProtectSystem"] == "strict", "the system's authorities stay readable"
    assert service["ProtectHome"] == "yes", (
        "so ca_file, url_file and secret_file do not lie in a home folder: the docs say so"
    )


@pytest.mark.parametrize("name", ["nodewright.service", "nodewright-sidecar.service"])
def test_other_users_processes_stay_visible(name: str) -> None:
    service = unit(name)["Service"]
    assert service["ProtectProc"] == "default"
    assert service["ProcSubset"] == "all"
    assert service.get("PrivateUsers", "no") == "no"
    assert "PrivatePIDs" not in service


@pytest.mark.parametrize("name", ["nodewright.service", "nodewright-sidecar.service", "nodewright-past@.service"])
def test_each_unit_limits_what_it_may_cost(name: str) -> None:
    service = unit(name)["Service"]
    assert service["MemoryMax"].endswith("M")
    assert service["CPUQuota"].endswith("%")
    assert "TasksMax" in service


def test_agent_and_sidecar_meet_at_one_socket_that_only_the_agents_group_may_open() -> None:
    socket = unit("nodewright-sidecar.socket")["Socket"]
    assert f"Environment=NODEWRIGHT_AGENT_SIDECAR_SOCKET={socket['ListenStream']}" in lines_of("nodewright.service")
    assert socket["SocketMode"] == "0660"
    assert socket["SocketGroup"] == unit("nodewright.service")["Service"]["Group"]


def test_the_past_is_worked_out_by_the_agents_user_within_limits_that_are_not_the_agents() -> None:
    socket, service = unit("nodewright-past.socket")["Socket"], unit("nodewright-past@.service")["Service"]
    assert f"Environment=NODEWRIGHT_AGENT_PAST_SOCKET={socket['ListenStream']}" in lines_of("nodewright.service")
    assert (socket["Accept"], socket["SocketMode"], socket["SocketUser"]) == ("yes", "0600", service["User"])
    assert service["User"] == unit("nodewright.service")["Service"]["User"]
    assert (service["Nice"], service["CapabilityBoundingSet"], service["PrivateNetwork"]) == ("19", "", "yes")


def test_every_user_of_the_units_is_created() -> None:
    lines = (UNITS / "sysusers.d" / "nodewright.conf").read_text("ascii").splitlines()
    created = {line.split()[1] for line in lines if line.startswith("u ")}
    assert created == {unit(f"{name}.service")["Service"]["User"] for name in ("nodewright", "nodewright-sidecar")}
    folders = (UNITS / "tmpfiles.d" / "nodewright.conf").read_text("ascii")
    assert "d /run/nodewright-sidecar 0750 nodewright-sidecar nodewright -" in folders.splitlines()


def test_the_drop_in_for_gpus_opens_devices_and_grants_nothing_else() -> None:
    drop_in = (UNITS / "nodewright.service.d" / "gpu.conf").read_text("ascii").splitlines()
    settings = [line.partition("=") for line in drop_in if "=" in line and not line.startswith("#")]
    keys = {key for key, _, _ in settings}
    assert keys == {"PrivateDevices", "DevicePolicy", "DeviceAllow", "MemoryHigh", "MemoryMax", "TasksMax"}
    assert ("DevicePolicy", "=", "closed") in settings
    allowed = {value.split()[0] for key, _, value in settings if key == "DeviceAllow"}
    assert {"char-nvidia", "char-nvidiactl", "/dev/kfd", "char-accel", "char-neuron"} <= allowed


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(
    ("name", "drop_ins", "most"),
    [
        ("nodewright.service", (), 1.5),
        ("nodewright.service", ("nodewright.service.d",), 1.6),
        ("nodewright-sidecar.service", (), 1.3),
        ("nodewright-past@.service", (), 0.7),
    ],
)
def test_systemd_counts_little_exposure(name: str, drop_ins: Sequence[str], most: float, tmp_path: Path) -> None:
    """Of 10; what is left is the network of the agent, the capabilities of the sidecar, and the whole of /proc."""
    shutil.copy(UNITS / name, tmp_path)
    for folder in drop_ins:
        shutil.copytree(UNITS / folder, tmp_path / folder)
    analyze = ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={round(most * 10)}"]
    answer = subprocess.run([*analyze, str(tmp_path / name)], capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stdout[-200:] + answer.stderr


@pytest.mark.parametrize("name", ["nodewright.service", "nodewright-sidecar.service"])
def test_the_manager_is_told_and_watches(name: str) -> None:
    service = unit(name)["Service"]
    assert service["Type"] == "notify"
    assert service["WatchdogSec"].endswith("s")
    assert service["Restart"] == "on-failure"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for path in UNITS.glob("nodewright*.*"):
        if path.is_file():
            (tmp_path / path.name).write_text(path.read_text().replace(COMMAND, "/bin/true"))
    shutil.copytree(UNITS / "nodewright.service.d", tmp_path / "nodewright.service.d")
    verify = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.glob("*.*[!d]")))]
    answer = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    ours = [line for line in answer.stderr.splitlines() if "nodewright" in line]
    assert ours == []
