"""Are collapsed stacks what flame-graph tools expect?"""

from agent.profiling.formats.collapsed import collapsed
from tests.agent.profiling.examples import ENCODE, MATRIX, sample, stored, two_stacks, whole


def parsed(text: str) -> dict[tuple[str, ...], int]:
    """As every reader of the format does it: the count follows the last space, frames are separated by semicolons."""
    lines = [line.rpartition(" ") for line in text.splitlines()]
    return {tuple(stack.split(";")): int(count) for stack, _, count in lines}


def test_a_line_is_root_to_leaf_and_its_count() -> None:
    text = collapsed(two_stacks())
    assert text.splitlines()[1] == ";".join(MATRIX) + " 700"
    assert parsed(text) == {MATRIX: 700, ENCODE: 300}


def test_one_side_is_shown_and_threads_only_on_request() -> None:
    assert parsed(collapsed(whole(), side="gil")) == {ENCODE: 250}
    assert parsed(collapsed(whole(), side="native", threads=True)) == {("pool-1", "sgemm_kernel (libopenblas.so)"): 40}
    assert parsed(collapsed(stored([sample(ENCODE, 4, side="wait")]))) == {ENCODE: 4}
    assert collapsed(stored()) == ""


def test_names_with_separators_are_made_safe_and_counts_stay() -> None:
    frames = ("a;b", "c\nd 7", "e\x00f", "", "\udcff 99")
    text = collapsed(stored([sample(frames, 5), sample(frames, 6, thread="other")]))
    r = "\N{REPLACEMENT CHARACTER}"
    assert parsed(text) == {("a:b", "c d 7", f"e{r}f", "?", f"{r} 99"): 11}
    assert text.count("\n") == 1
