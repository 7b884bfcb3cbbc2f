"""The table of classes: what comes with nodewright is whole, and what is wrong in one is said in one line."""

from importlib.resources import files

import pytest

from advisor.profiling.table import WORKS, BadTable, Table, load_table

TEXT = files("advisor.profiling").joinpath("classes.toml").read_text("utf-8")


def test_every_class_that_can_be_told_by_name_has_names() -> None:
    file = load_table().file
    told = {*file.python, *(w for e in file.native for w in (*e.work, *e.symbols, *e.in_kernel)), *file.pools}
    told = {work for name in told for work in name.split("|")}
    assert set(WORKS) - told == {"python", "unknown"}  # what is left, and what nothing is known of
    assert told - set(WORKS) == {"interpreter", "helper"}


def test_the_functions_that_source_lines_are_searched_for_have_classes() -> None:
    table = load_table()
    assert {"orjson.loads", ".tolist", "@", ".encode_batch"} <= table.calls
    assert {table.work_of_call[name] for name in ("orjson.loads", "@", "np.exp")} == {"serialise", "kernel", "array"}
    assert set(table.work_of_call.values()) <= set(WORKS)


def test_it_is_read_once() -> None:
    assert load_table() is load_table()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('[python]\n', '[python]\nsoup = ["soup.py"]\n', "python: there is no class `soup`"),
        ('work = ["trees"]', 'work = ["tree"]', "there is no class `tree`"),
        ('"array|serialise"', '"array|soup"', "there is no class `soup`"),
        ('trees = "python"', 'trees = "snake"', "overhead: there is no class `snake`"),
        ('"orjson.loads", ', '"orjson.loads", "@", ', "calls: `@` stands under serialise and kernel"),
        ('gil = "free"', 'gil = "maybe"', "Invalid enum value 'maybe'"),
        ("[overhead]", "[overheads]", "unknown field `overheads`"),
        ("[overhead]", "[overhead", "Expected ']'"),
    ],
)  # fmt: skip
def test_a_wrong_table_says_where(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(BadTable, match=said.replace("|", r"\|")):
        Table(TEXT.replace(old, new, 1))
