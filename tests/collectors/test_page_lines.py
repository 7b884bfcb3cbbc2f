"""Is a line of a metrics page read as prometheus_client reads it?"""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from collectors.pages.page_lines import labels_of, parse_line
from collectors.reading import Unreadable

NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,12}", fullmatch=True)
LABEL_NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\r", exclude_categories=("Cs",)), max_size=12) | st.text(
    '{}",=\\\n le#', max_size=12
)


def printed(name: str, labels: dict[str, str], number: str) -> str:
    escaped = {
        key: value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"") for key, value in labels.items()
    }
    inside = ",".join(f'{key}="{value}"' for key, value in escaped.items())
    return f"{name}{{{inside}}} {number}" if labels else f"{name} {number}"


@given(NAMES, st.dictionaries(LABEL_NAMES, VALUES, max_size=4), st.floats())
@example("x", {"a": 'b",le="5'}, 1.0)
@example("x", {"a": "\\", "b": "}"}, math.inf)
@example("x", {"a": "\\n\n\\"}, 1e-300)
def test_a_printed_line_is_read_as_prometheus_client_reads_it(name: str, labels: dict[str, str], value: float) -> None:
    line = printed(name, labels, repr(value))
    theirs = next(iter(text_string_to_metric_families(line + "\n"))).samples[0]
    ours = parse_line(line)
    assert (ours.name, labels_of(ours.labels)) == (theirs.name, theirs.labels) == (name, labels)
    assert ours.value == theirs.value or (math.isnan(ours.value) and math.isnan(theirs.value))


@pytest.mark.parametrize(
    ("line", "name", "labels", "value"),
    [
        ("up 1", "up", {}, 1.0),
        ("up\t 1.5\t1700000000000", "up", {}, 1.5),
        ("up 1 # {trace_id=\"5\"} 0.2", "up", {}, 1.0),
        ('up{a="1",} 2', "up", {"a": "1"}, 2.0),
        ('  up { a = "1" , b="2" }3 ', "up", {"a": "1", "b": "2"}, 3.0),
        ("up{} +Inf", "up", {}, math.inf),
        (r'up{path="C:\\new \"x\" \q"} 1', "up", {"path": 'C:\\new "x" \\q'}, 1.0),
        (':tensorflow:serving:request_count{status="OK"} 7\r', ":tensorflow:serving:request_count", {"status": "OK"}, 7.0),
    ],
)  # fmt: skip
def test_forms_that_servers_print(line: str, name: str, labels: dict[str, str], value: float) -> None:
    found = parse_line(line)
    assert (found.name, labels_of(found.labels), found.value) == (name, labels, value)


@pytest.mark.parametrize(
    "line",
    ["", "up", "up{", 'up{a="1" 2', 'up{a="1} 2', "up{} x", "up 1_000", '{a="1"} 2', 'up{a="1"}'],
)
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(Unreadable, match="the page is damaged"):
        parse_line(line)


@pytest.mark.parametrize("text", ['a="1"b="2"', "a", 'a="1",a="2"', 'a=1', '="1"', 'a="1",,b="2"'])  # fmt: skip
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="the page is damaged"):
        labels_of(text)


@given(st.text(max_size=60) | st.text('a{}",=\\ 1', max_size=60))
def test_nothing_else_is_ever_raised(line: str) -> None:
    try:
        labels_of(parse_line(line).labels)
    except Unreadable:
        pass


def test_the_reason_quotes_no_more_than_a_little() -> None:
    with pytest.raises(Unreadable) as refused:
        parse_line('up{a="' + "x" * (4 << 20))
    assert len(refused.value.reason) < 200
