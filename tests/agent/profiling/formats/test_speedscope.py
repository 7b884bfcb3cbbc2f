"""Is the file what https://www.speedscope.app/file-format-schema.json asks for?"""

import json
from typing import Any

import msgspec

from advisor.profiling.stored import StoredProfile
from agent.profiling.formats.speedscope import speedscope
from tests.agent.profiling.examples import ENCODE, sample, stored, two_stacks, whole

UNITS = {"bytes", "microseconds", "milliseconds", "nanoseconds", "none", "seconds"}


def file_of(profile: StoredProfile) -> dict[str, Any]:
    file: dict[str, Any] = json.loads(msgspec.json.encode(speedscope(profile)))
    return file


def check(file: dict[str, Any]) -> None:
    """The required fields of the schema (File, Shared, Frame, SampledProfile) and what the program relies on."""
    assert {"$schema", "profiles", "shared"} <= set(file)
    assert set(file) <= {"$schema", "profiles", "shared", "name", "activeProfileIndex", "exporter"}
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    for frame in file["shared"]["frames"]:
        assert isinstance(frame["name"], str)
        assert set(frame) <= {"name", "file", "line", "col"}
        assert isinstance(frame.get("line", 0), int)
    assert 0 <= file["activeProfileIndex"] < len(file["profiles"])
    for profile in file["profiles"]:
        assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
        assert profile["type"] == "sampled"
        assert profile["unit"] in UNITS
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] - profile["startValue"] == sum(profile["weights"])
        assert all(0 <= index < len(file["shared"]["frames"]) for one in profile["samples"] for index in one)


def test_each_thread_and_side_is_a_profile() -> None:
    file = file_of(whole())
    check(file)
    assert [(one["name"], one["endValue"]) for one in file["profiles"]] == [
        ("MainThread: Python threads on a CPU", 1000), ("MainThread: holding the GIL", 250),
        ("MainThread: Python threads that wait", 90), ("pool-1: native functions on a CPU", 40),
    ]  # fmt: skip


def test_frames_are_shared_and_say_file_and_line() -> None:
    file = file_of(two_stacks())
    frames = file["shared"]["frames"]
    assert frames[0] == {"name": "<module>", "file": "server.py", "line": 10}
    assert {"name": "addmm", "file": "libtorch_cpu.so"} in frames
    assert len(frames) == 6
    first = file["profiles"][0]
    stacks = {
        tuple(frames[i]["name"] for i in one): n for one, n in zip(first["samples"], first["weights"], strict=True)
    }
    assert stacks == {("<module>", "run", "predict", "addmm"): 700, ("<module>", "run", "predict", "encode"): 300}


def test_no_samples_and_hostile_names_make_a_proper_file_too() -> None:
    check(file_of(stored()))
    file = file_of(stored([sample(("\udcff\n", "</script>", ""), 1, thread="\udcfe")], service="\udcfd"))
    check(file)
    assert [one["name"] for one in file["shared"]["frames"]] == ["\N{REPLACEMENT CHARACTER}", "</script>", "?"]
    check(file_of(stored([sample(ENCODE, n, thread=f"t{n}") for n in range(1, 40)])))
