"""A script that runs tells which packages it imports, and nothing else of it leaves the reader."""

from pathlib import Path

import pytest

from collectors.facts import SettingsFile
from collectors.frameworks.litserve import LitServe
from collectors.inside import read_facts
from tests.captures import process
from tests.collectors.process_tree import host_of, key_of, make_process

REQUESTS = tuple(LitServe().candidate_requests(process(1, "python", "server.py")))


def read(root: Path, source: str) -> SettingsFile:
    folder = make_process(root, cwd="/app", argv=("python", "server.py"))
    (folder / "root/app/server.py").write_text(source)
    (file,) = read_facts(host_of(root), key_of(), REQUESTS).settings_files
    return file


@pytest.mark.parametrize(
    "source",
    [
        "import litserve as ls\n",
        "import os, litserve\n",
        "from litserve import LitAPI, LitServer\n",
        "from litserve.specs import OpenAISpec\n",
        "def main():\n    import litserve\n",
        "import litserve\nfor module in model.modules():\n    print(eval('1'))\n",
    ],
)
def test_an_import_is_seen_wherever_it_stands(tmp_path: Path, source: str) -> None:
    assert read(tmp_path, f"API_KEY = 'hunter2'\n{source}").values == {"import litserve": True}


@pytest.mark.parametrize(
    "source",
    [
        "# import litserve\n",
        "'''\nimport litserve\n'''\n",
        "import litserve_tools\n",
        "from . import litserve\n",
        "x = (",
        "",
    ],
)
def test_what_only_mentions_it_is_no_import(tmp_path: Path, source: str) -> None:
    file = read(tmp_path, source)
    assert (file.present, file.values) == (True, {})
