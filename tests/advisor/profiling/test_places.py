"""Where a frame comes from, and which entry of the table speaks for it."""

import pytest

from advisor.profiling.places import Place, PlaceIndex, place_of

INDEX = PlaceIndex(
    {
        "folder": ("pkg/",),
        "deeper": ("pkg/inner/",),
        "file": ("pkg/inner/mod.py",),
        "function": ("pkg/inner/mod.py:Class.run", "pkg/inner/mod.py:free"),
        "pattern": ("pkg/models/*/tokens_*.py", "plug_*/"),
    }
)


@pytest.mark.parametrize(
    ("file", "origin", "path"),
    [
        ("/srv/app/json/encoder.py", "own", "/srv/app/json/encoder.py"),
        ("/srv/venv/lib/python3.12/site-packages/pkg/a.py", "library", "pkg/a.py"),
        ("/usr/lib/python3/dist-packages/pkg/a.py", "library", "pkg/a.py"),
        ("/usr/lib/python3.11/json/encoder.py", "standard", "json/encoder.py"),
        ("/opt/py/lib/python3.13t/asyncio/events.py", "standard", "asyncio/events.py"),
        ("/usr/lib/python311.zip/json/decoder.py", "standard", "json/decoder.py"),
        ("/root/.pex/wheels/pkg-1-py3-none-any.whl/pkg/a.py", "library", "pkg/a.py"),
        ("<frozen importlib._bootstrap>", "standard", "<frozen importlib._bootstrap>"),
        ("<string>", "own", "<string>"),
    ],
)
def test_a_file_is_the_applications_a_librarys_or_pythons(file: str, origin: str, path: str) -> None:
    assert place_of(file) == Place(origin, path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "name", "found"),
    [
        ("pkg/other.py", "f", "folder"),
        ("pkg/inner/other.py", "f", "deeper"),
        ("pkg/inner/mod.py", "f", "file"),
        ("pkg/inner/mod.py", "Class.run", "function"),
        ("pkg/inner/mod.py", "run", "function"),  # Python before 3.11 names no class
        ("pkg/inner/mod.py", "Other.run", "file"),
        ("pkg/inner/mod.py", "Other.free", "function"),
        ("pkg/inner/mod.py", "make.<locals>.free", "function"),
        ("pkg/models/bert/tokens_bert.py", "f", "pattern"),
        ("plug_one/a/b.py", "f", "pattern"),
        ("pkgs/other.py", "f", None),
        ("my/pkg/other.py", "f", None),
    ],
)
def test_the_most_specific_entry_speaks(path: str, name: str, found: str | None) -> None:
    assert INDEX.find(Place("library", path), name) == found


def test_no_entry_speaks_for_files_of_the_application() -> None:
    assert INDEX.find(Place("own", "pkg/other.py"), "f") is None
