"""Whatever a process calls its functions, a profile of it stays of bounded size."""

from collectors.profiles import interned
from collectors.profiles.interned import DEPTH_LIMIT, FILE_LIMIT, NAME_LIMIT, OTHER, Interned
from collectors.profiles.profile import Frame


def test_long_names_are_cut():
    held = Interned()
    held.stack([Frame("f" * 5000, "g" * 5000, 3)])
    assert held.frames == (Frame("f" * NAME_LIMIT, "g" * FILE_LIMIT, 3),)


def test_of_a_deep_stack_the_frames_nearest_to_the_leaf_are_kept():
    held = Interned()
    held.stack([Frame(f"f{depth}", "a.py", depth) for depth in range(DEPTH_LIMIT + 10)])
    assert len(held.stacks[0]) == DEPTH_LIMIT
    assert held.frames[held.stacks[0][-1]].name == f"f{DEPTH_LIMIT + 9}"


def test_frames_beyond_the_limit_of_characters_count_for_one(monkeypatch):
    monkeypatch.setattr(interned, "CHARACTERS_LIMIT", 20)
    held = Interned()
    first, second, third = (held.frame(Frame(name * 6, "a.py", 1)) for name in "abc")
    assert held.frames == (Frame("a" * 6, "a.py", 1), Frame("b" * 6, "a.py", 1), OTHER)
    assert held.frame(Frame("d" * 6, "a.py", 1)) == third
    assert (first, second) == (0, 1)
    assert held.frame(Frame("a" * 6, "a.py", 1)) == first


def test_stacks_beyond_the_limit_of_references_count_for_one(monkeypatch):
    monkeypatch.setattr(interned, "REFERENCES_LIMIT", 4)
    held = Interned()
    frames = [Frame(name, "a.py", 1) for name in "abc"]
    kept = held.stack(frames)
    assert held.stack(frames[:2]) == held.stack(frames[1:])
    assert held.stacks[kept] == (0, 1, 2)
    assert [held.frames[index] for index in held.stacks[held.stack(frames[:1])]] == [OTHER]
