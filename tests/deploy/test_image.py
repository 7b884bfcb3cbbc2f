"""Does the Dockerfile say what must hold wherever it is built, and does the health check answer without the image?"""

import importlib.util
import re
import socket
import threading
from pathlib import Path
from types import ModuleType

import pytest

from nodewright import __version__

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SOURCES = [name for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.M) for name in line.split()[:-1]]


def test_both_bases_are_arguments_and_the_last_user_has_no_rights() -> None:
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.M) == ["${BASE}", "${PYTHON_BASE}", "base"]
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.M) == ["65532:65532"]
    assert f'org.opencontainers.image.version="{__version__}"' in DOCKERFILE


def test_what_is_installed_is_checked_against_hashes() -> None:
    script = (ROOT / "deploy/image/install.sh").read_text().replace("\\\n", " ")
    installs = [line for line in script.splitlines() if " install --" in line and "/pip" in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_copied_is_there_and_let_through(name: str) -> None:
    assert (ROOT / name).exists()
    assert f"!{name}" in (ROOT / ".dockerignore").read_text().splitlines()


@pytest.fixture(scope="module")
def healthy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("healthy", ROOT / "deploy/image/healthy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", ""), (b"HTTP/1.1 503 Busy\r\n\r\n", "HTTP/1.1 503 Busy"), (b"", "no answer")],
)
def test_an_agent_is_healthy_that_answers_200(healthy: ModuleType, answer: bytes, problem: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            stream, _ = listener.accept()
            with stream:
                assert stream.recv(4096).startswith(b"GET /healthz ")
                stream.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"0.0.0.0:{listener.getsockname()[1]}"
        assert healthy.problem(address) == (f"{address}: {problem}" if problem else "")
        thread.join()


def test_a_sidecar_is_healthy_that_listens(healthy: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert "No such file" in healthy.problem(f"sidecar:{path}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert healthy.problem(f"sidecar:{path}") == ""
