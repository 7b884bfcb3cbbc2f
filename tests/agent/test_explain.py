"""A rule's page is printed with all its sections; a name that is not quite right finds its neighbour."""

import pytest

from advisor.catalogue import pages
from agent.errors import CliError
from agent.explain import explain
from tests.agent.http.example import rule_pages


def test_the_list_has_a_line_for_each_rule():
    lines = explain(rule_pages(), None).splitlines()
    assert len(lines) == len(rule_pages())
    assert lines[0].startswith("context-switch-storm")


def test_a_page_has_every_section_and_the_thresholds():
    text = explain(rule_pages(), "memory-pressure")
    for part in (
        "a look",
        "a reason",
        "a change",
        "a limit",
        "built",
        "waiting_cores = 0.5",
        '[rule."memory-pressure"]',
    ):
        assert part in text


def test_an_unknown_rule_names_the_nearest():
    with pytest.raises(CliError) as raised:
        explain(rule_pages(), "memory-presure")
    assert (raised.value.exit_status, raised.value.hint) == (2, "did you mean memory-pressure?")
    with pytest.raises(CliError, match="no rule"):
        explain((), "x")


def test_every_rule_of_this_version_can_be_explained():
    for page in pages():
        assert explain(pages(), page.id).startswith(page.id)


def test_a_page_names_the_version_of_its_rule():
    (page,) = [page for page in pages() if page.id == "workers-exceed-cores"]
    assert len(page.version) == 8
    assert page.version in explain(pages(), page.id)


def test_the_summary_of_every_rule_is_one_whole_sentence():
    assert [page.id for page in pages() if not page.title.endswith(".")] == []
