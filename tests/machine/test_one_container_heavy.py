"""The image in one container, as the first process of one, and with less than it is documented to need: does it name the
bottleneck, does each capability count, does it end when it is asked to?"""

from collections.abc import Iterator

import pytest

from tests.machine.container_serving import (
    ONE,
    ROOT,
    TWO,
    TWO_BITS,
    images,
    loaded_server,
    logs,
    missing,
    named,
    status,
    two_cpus,
)  # fmt: skip
from tests.machine.podman import Podman, lacking
from tests.machine.waiting import wait_for

pytestmark = [
    pytest.mark.root,
    pytest.mark.heavy,
    pytest.mark.skipif(bool(lacking), reason=lacking),
    pytest.mark.skipif(not two_cpus, reason="needs two CPUs"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    with images(tmp_path_factory.mktemp("containers")) as one:
        yield one


@pytest.fixture
def server(engine: Podman) -> Iterator[None]:
    with loaded_server(engine):
        yield


def exit_code(engine: Podman, name: str) -> str:
    """Of one that is asked to end, and is killed where it has not after ten seconds."""
    engine.run("stop", "--time", "10", name)
    return engine.inspect(name, "{{.State.ExitCode}}")


def catches_sigterm(engine: Podman, name: str) -> bool:
    """As a first process must to be ended by it."""
    return bool(int(status(engine, name)["SigCgt"], 16) >> 14 & 1)


@pytest.mark.parametrize(
    ("left", "lost"),
    [
        (("SYS_PTRACE", "DAC_READ_SEARCH"), {""}),
        (("SYS_PTRACE",), {"environment", "sockets"}),
        (("DAC_READ_SEARCH",), {"environment", "sockets", "libraries", "folder"}),
        ((), {"environment", "sockets", "libraries", "folder"}),
    ],
)
def test_without_one_of_its_capabilities_the_sidecar_loses_these_facts(
    engine: Podman, server: None, left: tuple[str, ...], lost: set[str]
) -> None:
    """Neither is there for nothing."""
    changed = TWO
    for name in {"SYS_PTRACE", "DAC_READ_SEARCH"} - set(left):
        changed = changed.replace(f" --cap-add {name}", "")
    engine.sh(changed, cwd=ROOT)
    wait_for(lambda: missing(engine) == lost, lambda: f"{missing(engine)}\n{logs(engine)}")


def test_both_in_one_container_that_ends_when_it_is_asked_to(engine: Podman, server: None) -> None:
    engine.sh(ONE, cwd=ROOT)
    named(engine)
    assert missing(engine) == {""}
    assert int(status(engine, "nodewright")["CapEff"], 16) == TWO_BITS
    assert exit_code(engine, "nodewright") == "0"


def test_one_container_of_the_servers_own_user_needs_no_capability_and_a_state_in_memory_is_enough(
    engine: Podman, server: None
) -> None:
    own = ["--pid", "container:server", "--network", "container:server", "--user", "1000:1000", "--cap-drop", "ALL"]
    state = ["--read-only", "--tmpfs", "/tmp", "--env", "STATE_DIRECTORY=/tmp/state", "--env", "HOME=/tmp"]
    engine.start("nodewright", *own, *state, "nodewright")
    named(engine)
    assert missing(engine) == {""}


def test_as_the_first_process_of_its_container_it_takes_orphans_in_and_ends_when_it_is_asked_to(engine: Podman) -> None:
    """What joins its processes and leaves some behind leaves them to it."""
    try:
        engine.start("first", "--network", "none", "--read-only", "nodewright")
        orphan = "import os, time\nif os.fork() == 0:\n    if os.fork() == 0: time.sleep(1)\n    os._exit(0)\nos.wait()"
        engine.python("first", orphan)
        parents = "import glob; print([open(f).read().split()[2:4] for f in glob.glob('/proc/[0-9]*/stat')])"
        assert "'1']" in engine.python("first", parents)
        zombie = "['Z', '1']"
        wait_for(lambda: zombie in engine.python("first", parents), lambda: logs(engine))
        wait_for(lambda: zombie not in engine.python("first", parents), lambda: logs(engine))
        assert exit_code(engine, "first") == "0"
        engine.start(
            "second", "--network", "none", "--read-only", "nodewright", "sidecar", "--socket", "/run/nodewright/a/s"
        )
        wait_for(lambda: "listens at" in engine.run("logs", "second", check=False), lambda: logs(engine))
        assert exit_code(engine, "second") == "0"
        engine.start("third", "--network", "none", "--read-only", "nodewright", "advise", "--seconds", "600")
        wait_for(lambda: catches_sigterm(engine, "third"), lambda: logs(engine))
        assert exit_code(engine, "third") == "143"
    finally:
        engine.remove()
