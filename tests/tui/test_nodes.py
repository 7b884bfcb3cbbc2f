"""Are nodes found by their names, told apart by their worst finding, and switched between?"""

from pathlib import Path

import click
import msgspec
import pytest
from textual.widgets import OptionList

from advisor.documents import Problem
from tests.fakes_tui import REFUSED, FakeSource, press
from tests.snapshots import empty_snapshot, example_snapshot
from tui.app import TopApp
from tui.cli import DEFAULT_URL, find_nodes
from tui.nodes import NamedNode, Node, Nodes, configured_nodes
from tui.screens.nodes import NodesScreen, worst
from tui.source import Source
from tui.widgets.status_line import StatusLine


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_later_file_wins_key_by_key(tmp_path: Path) -> None:
    system = write(
        tmp_path / "system.toml", '[agent]\nnode = "x"\n[nodes.a]\nurl = "http://a:1"\n[nodes.b]\nurl = "unix:/b"\n'
    )
    write(tmp_path / "nodewright" / "nodewright.toml", '[nodes.a]\nurl = "https://a:2/base"\n')
    own = write(tmp_path / "own.toml", '[nodes.a]\ntoken_file = "/tokens/a"\n[nodes."z y"]\nurl = "http://[::1]:9"\n')
    assert configured_nodes({"XDG_CONFIG_HOME": str(tmp_path)}, own, system) == (
        NamedNode(name="a", url="https://a:2/base", token_file=Path("/tokens/a")),
        NamedNode(name="b", url="unix:/b"),
        NamedNode(name="z y", url="http://[::1]:9"),
    )


def test_without_files_there_are_none(tmp_path: Path) -> None:
    assert configured_nodes({"HOME": str(tmp_path)}, None, tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nodes = 1", "nodes is not a table"),
        ("[nodes]\na = 1", "nodes.a is not a table"),
        ('[nodes.a]\nurl = "a:1"', "not an agent's address"),
        ("[nodes.a]\nurl = 1", "is not text"),
        ('[nodes.a]\nhost = "a"', "unknown key"),
        ('[nodes.a]\ntoken_file = "/t"', "has no url"),
        ("[nodes", "not valid TOML"),
    ],
)
def test_a_section_that_is_wrong_is_one_clause(tmp_path: Path, text: str, said: str) -> None:
    own = write(tmp_path / "own.toml", text)
    with pytest.raises(ValueError, match=said) as caught:
        configured_nodes({}, own, tmp_path / "none")
    assert "\n" not in str(caught.value)


def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    return write(tmp_path / "own.toml", '[nodes.a]\nurl = "http://a:1"\n[nodes.b]\nurl = "http://b:1"\n')


def test_the_node_that_was_asked_for_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = named(tmp_path, monkeypatch)
    assert list(find_nodes((), None, None, None, own).all) == [DEFAULT_URL, "a", "b"]
    assert list(find_nodes((), "b", None, None, own).all) == ["b", "a"]
    assert list(find_nodes(("http://c:1", "unix:/d"), None, None, None, own).all) == ["http://c:1", "unix:/d", "a", "b"]
    assert list(find_nodes((), None, None, tmp_path / "node.db", None).all) == [str(tmp_path / "node.db")]


def test_what_contradicts_itself_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = named(tmp_path, monkeypatch)
    with pytest.raises(click.UsageError, match=r"no node 'c' .*known: a, b"):
        find_nodes((), "c", None, None, own)
    with pytest.raises(click.UsageError, match="excludes"):
        find_nodes(("http://c:1",), None, None, tmp_path / "node.db", None)
    with pytest.raises(click.ClickException, match="not an agent's address"):
        find_nodes(("c:1",), None, None, None, own)
    with pytest.raises(click.ClickException, match="No such file"):
        find_nodes((), None, None, None, tmp_path / "none.toml")


def test_a_token_of_the_environment_never_goes_to_a_named_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = named(tmp_path, monkeypatch)
    monkeypatch.setenv("NODEWRIGHT_TOKEN", "of another")
    nodes = find_nodes((), "a", None, None, own)
    source = nodes.source("a")
    assert source.read_only is not None
    assert "of another" not in str(vars(source))
    nodes.close()


OTHER = msgspec.structs.replace(
    empty_snapshot(), node=msgspec.structs.replace(empty_snapshot().node, node="node-2"), generation=1
)


def app_of(**sources: FakeSource) -> TopApp:
    def opened(source: FakeSource) -> Source:
        return source

    nodes = Nodes(
        Node(name=name, address=one.origin, open=lambda one=one: opened(one)) for name, one in sources.items()
    )
    first = next(iter(sources))
    return TopApp(nodes.source(first), interval_seconds=3600, nodes=nodes, node=first)


def telling(snapshot: object, advice: object) -> FakeSource:
    return FakeSource([snapshot], known={"advice": advice})  # type: ignore[list-item]


async def test_the_list_tells_the_worst_of_each_node() -> None:
    app = app_of(
        one=telling(example_snapshot(), example_snapshot().advice),
        two=telling(OTHER, OTHER.advice),
        three=telling(REFUSED, REFUSED),
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "N")
        await pilot.pause()
        assert isinstance(app.screen, NodesScreen)
        listed = [str(option.prompt) for option in app.screen.query_one(OptionList).options]
        assert listed[0] == "▸ one  http://127.0.0.1:9753\n    CRITICAL · Tasks stall on memory · 4 open"
        assert listed[1].endswith("nothing to change")
        assert listed[2].endswith("✗ nothing listens there")


async def test_another_node_is_shown_and_nothing_of_the_one_before() -> None:
    one, two = telling(example_snapshot(), REFUSED), telling(OTHER, OTHER.advice)
    app = app_of(one=one, two=two)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "space", "N", "j", "enter")
        await pilot.pause()
        assert app.screen.query_one(StatusLine).render().plain.startswith("nodewright · node-2")
        assert app.state.moment is None
        asked = one.asked
        await press(pilot, "r")
        assert (one.asked, two.asked) == (asked, 2)
        await press(pilot, "N", "escape")
        assert app.source is two


async def test_where_there_is_one_node_it_says_how_to_name_others() -> None:
    app = app_of(one=telling(example_snapshot(), REFUSED))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "N")
        assert "no other node is known" in app.screen.query_one(StatusLine).render().plain


def test_a_node_that_was_not_heard_yet_is_not_called_healthy() -> None:
    assert worst(None).plain == "asking"
    assert worst(Problem("timeout", "no answer within 3 s", "")).plain == "✗ no answer within 3 s"
    assert worst(empty_snapshot().advice).plain == "nothing to change"
