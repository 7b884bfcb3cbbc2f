"""Does the whole keep its promises: what an import loads, which way imports go, and that every part is declared and tested?"""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from advisor import rules
from advisor.catalogue import SECTIONS, all_rules, pages
from collectors import frameworks, managers, sources
from collectors.collector import Collector, all_collectors, scan
from collectors.framework import Framework
from collectors.gpu.samples import KINDS as GPU_KINDS
from collectors.registry import all_frameworks
from collectors.sample import Sample, fields_of

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(info.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
IMPORT_ONE = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def loaded_by(program: str, name: str) -> set[str]:
    """Top-level modules in a fresh process after `program` imported `name`."""
    answer = subprocess.run(
        [sys.executable, "-c", program, name], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return set(answer.stdout.split())


def modules_of(package: ModuleType) -> list[str]:
    return sorted(path.stem for path in Path(package.__path__[0]).glob("*.py") if path.stem != "__init__")


def sample_kinds() -> list[type[Sample]]:
    return sorted({kind for collector in all_collectors() for kind in collector.samples}, key=lambda kind: kind.kind)


def test_the_advisor_loads_nothing_that_reads_or_serves() -> None:
    loaded = loaded_by(IMPORT_ALL, "advisor")
    assert "advisor" in loaded
    assert not loaded & {"psutil", "pynvml", "aiohttp", "textual", "sqlite3", "sqlite_utils", "agent", "tui"}


def test_collectors_load_nothing_of_the_layers_above() -> None:
    assert not loaded_by(IMPORT_ALL, "collectors") & {"aiohttp", "textual", "sqlite3", "advisor", "agent", "tui"}


def test_the_screens_load_no_reader_no_store_and_no_agent() -> None:
    loaded = loaded_by(IMPORT_ONE, "tui.app")
    assert "textual" in loaded
    assert not loaded & {"psutil", "pynvml", "sqlite3", "sqlite_utils", "aiohttp", "agent"}


def test_the_command_line_of_the_screens_does_not_load_them() -> None:
    assert "textual" not in loaded_by(IMPORT_ONE, "tui.cli")


def test_imports_go_right_and_down_only() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("package", "folder"),
    [
        (sources, "collectors/sources"),
        (frameworks, "collectors/frameworks"),
        (managers, "collectors/managers"),
        (rules, "advisor/rules"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_file_that_is_found_by_scanning_has_its_test_file(package: ModuleType, folder: str) -> None:
    missing = [name for name in modules_of(package) if not (TESTS / folder / f"test_{name}.py").is_file()]
    assert missing == []


@pytest.mark.parametrize("kind", sample_kinds(), ids=lambda kind: kind.kind)
def test_every_sample_declares_itself_and_each_of_its_fields(kind: type[Sample]) -> None:
    assert kind.doc.strip()
    fields = fields_of(kind)
    assert fields
    for field in fields:
        assert field.help.strip(), field.name
        assert field.text or field.unit is not None, field.name
        assert field.scale > 0, field.name


def test_kinds_of_samples_differ_by_name_and_only_readers_of_gpus_share_them() -> None:
    by_name: dict[str, set[type[Sample]]] = {}
    readers: dict[str, list[Collector]] = {}
    for collector in all_collectors():
        for kind in collector.samples:
            by_name.setdefault(kind.kind, set()).add(kind)
            readers.setdefault(kind.kind, []).append(collector)
    assert all(len(kinds) == 1 for kinds in by_name.values())
    shared = {name for name, found in readers.items() if len(found) > 1}
    assert shared <= {kind.kind for kind in GPU_KINDS}
    assert all(collector.process is not None for name in shared for collector in readers[name])


@pytest.mark.parametrize("collector", all_collectors(), ids=lambda collector: collector.name)
def test_every_collector_says_what_it_costs_and_needs(collector: Collector) -> None:
    assert collector.cost.strip()
    assert collector.needs.strip()
    assert collector.cadence_seconds > 0


def test_every_rule_has_a_page_with_four_sections() -> None:
    written = pages()
    assert [page.id for page in written] == [name.replace("_", "-") for name in modules_of(rules)]
    assert len(SECTIONS) == 4
    for page in written:
        assert all((page.title, page.looks_for, page.why_it_matters, page.what_to_do, page.when_it_is_wrong)), page.id


def test_every_framework_says_on_what_it_was_proven() -> None:
    assert {framework.evidence for framework in all_frameworks()} <= {"live", "captured", "documented"}


def test_a_scan_finds_every_file_and_gives_fresh_instances() -> None:
    first, second = all_collectors(), all_collectors()
    assert [collector.name for collector in first] == [name.replace("_", "-") for name in modules_of(sources)]
    assert not {id(one) for one in first} & {id(one) for one in second}
    assert [rule.id for rule in all_rules()] == [name.replace("_", "-") for name in modules_of(rules)]


@pytest.mark.parametrize(("body", "found"), [("", 0), ("class A(Framework): ...\nclass B(Framework): ...\n", 2)])
def test_a_file_must_define_exactly_one_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, found: int
) -> None:
    folder = tmp_path / f"scanned{found}"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text(f"from collectors.framework import Framework\n{body}")
    monkeypatch.syspath_prepend(str(tmp_path))
    package = __import__(folder.name)
    with pytest.raises(TypeError, match=f"must define exactly one Framework, found {found}"):
        scan(package, Framework)
