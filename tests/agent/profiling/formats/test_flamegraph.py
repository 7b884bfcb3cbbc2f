"""Is the flame graph a sound picture that says what the samples say, and does it run nothing but its own script?"""

import base64
import hashlib
import re
from xml.etree import ElementTree as ET

import pytest

from agent.profiling.formats.diff_flamegraph import diff_flamegraph
from agent.profiling.formats.flamegraph import COLOURS, GREY, flamegraph
from agent.profiling.formats.svg import MARGIN, WIDTH, content_security_policy
from tests.agent.profiling.examples import ENCODE, MATRIX, ROOT, sample, stored, two_stacks, whole

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    '</script><x onload="alert(1)">', "]]><script>alert(1)</script>", "a & b < c > d \" ' e", "nul\0 esc\x1b[2J \ud800 \uffff",
    "</title></svg><svg onload=alert(1)>",
)  # fmt: skip


def frames(svg: str) -> dict[str, tuple[float, str, str]]:
    """By name: share of the width, colour, and the rest of the tooltip."""
    found = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        if group.get("class") == "f":
            title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
            assert title is not None
            assert title.text is not None
            assert rect is not None
            name, _, rest = title.text.partition("\n")
            found[name] = (float(rect.get("width", "0")) / (WIDTH - 2 * MARGIN), rect.get("fill", ""), rest)
    return found


def test_width_is_the_share_of_samples_and_the_tooltip_says_it() -> None:
    drawn = frames(flamegraph(two_stacks()))
    assert set(drawn) == {"all", *MATRIX, *ENCODE}
    width, _, tooltip = drawn["addmm (libtorch_cpu.so)"]
    assert width == pytest.approx(0.7, abs=1e-4)
    assert tooltip.startswith("700 samples, 70.00 %")
    assert drawn[ROOT[0]][0] == pytest.approx(1.0, abs=1e-4)


def test_colour_is_the_class_and_the_legend_names_it() -> None:
    svg = flamegraph(stored([sample(MATRIX, 500, work="kernel"), sample(ENCODE, 500, work="tokenise")]))
    drawn = frames(svg)
    assert drawn[MATRIX[-1]][1] != drawn[ENCODE[-1]][1]
    assert {drawn[MATRIX[-1]][1], drawn[ENCODE[-1]][1]} <= set(COLOURS)
    assert drawn[ROOT[0]][1] == GREY
    assert "kernel 50 %" in drawn[ROOT[0]][2]
    assert "kernel 50.0 %" in svg


def test_it_is_a_static_picture_without_the_script() -> None:
    tree = ET.fromstring(flamegraph(two_stacks()))
    texts = {text.text for text in tree.iter(f"{SVG}text")}
    assert {"addmm (libtorch_cpu.so)", "encode (tokenizers/api.py:12)"} <= texts
    controls = tree.find(f"{SVG}foreignObject")
    assert controls is not None
    assert controls.get("display") == "none"
    assert tree.get("width") == str(WIDTH)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text(name: str) -> None:
    profile = stored([sample((name, "leaf"), 9, thread=name, work=name)], service=name, reason=name, id=name)
    plain = stored([sample(("root", "leaf"), 9, thread="t", work="w")])
    for svg, other in [
        (flamegraph(profile, threads=True), flamegraph(plain, threads=True)),
        (diff_flamegraph(profile, profile), diff_flamegraph(plain, plain)),
    ]:
        ours = [(one.tag, sorted(one.keys())) for one in ET.fromstring(svg).iter()]
        assert ours == [(one.tag, sorted(one.keys())) for one in ET.fromstring(other).iter()]
        assert len(re.findall("<script", svg)) == 1


def test_the_policy_names_the_hashes_of_the_one_script_and_the_one_style() -> None:
    policy = content_security_policy()
    for svg in (flamegraph(whole()), diff_flamegraph(two_stacks(), whole())):
        tree = ET.fromstring(svg)
        (script,), (style,) = list(tree.iter(f"{SVG}script")), list(tree.iter(f"{SVG}style"))
        for element, source in ((script, "script-src"), (style, "style-src")):
            digest = base64.b64encode(hashlib.sha256((element.text or "").encode()).digest()).decode()
            assert f"{source} 'sha256-{digest}'" in policy
        assert not [one for element in tree.iter() for one in element.attrib if one.startswith(("on", "style"))]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_small_frames_are_one_box_and_a_note_counts_them() -> None:
    many = [sample(("root", f"f{number}"), 1) for number in range(3000)]
    svg = flamegraph(stored([*many, sample(("root", "large"), 7000)]))
    assert frames(svg)["(3000 small frames)"][0] == pytest.approx(0.3, abs=1e-3)
    assert "3000 frames, each below 0.1 % of the samples" in svg


def test_deep_and_many_stacks_are_drawn_within_bounds() -> None:
    deep = flamegraph(stored([sample(tuple(f"f{depth}" for depth in range(1000)), 1)]))
    assert len(frames(deep)) == 1001
    many = [sample((*(f"m{n % 40}_{depth}" for depth in range(40)), f"leaf{n}"), 1) for n in range(50_000)]
    svg = flamegraph(stored(many))
    assert len(svg) < 4_000_000
    assert len(frames(svg)) <= 10_001


def test_without_samples_there_is_a_picture_that_says_so() -> None:
    svg = flamegraph(stored())
    assert set(frames(svg)) == {"all"}
    assert "0 samples" in svg
    assert set(frames(diff_flamegraph(stored(), stored()))) == {"all"}


def test_a_difference_is_coloured_and_signed_where_it_is_sure() -> None:
    after = stored([sample(MATRIX, 300), sample(ENCODE, 700)], id="p2")
    svg = diff_flamegraph(two_stacks(), after)
    drawn = frames(svg)
    more, less = drawn["+40.0 encode (tokenizers/api.py:12)"], drawn["-40.0 addmm (libtorch_cpu.so)"]
    assert more[0] == less[0] == pytest.approx(0.5, abs=1e-3)
    assert more[2] == "before 30.00 %, after 70.00 %: +40.0 points"
    red, blue = int(more[1][1:3], 16) - int(more[1][5:7], 16), int(less[1][5:7], 16) - int(less[1][1:3], 16)
    assert red > 100
    assert blue > 100
    assert "no change beyond the noise" in svg
    other = frames(diff_flamegraph(two_stacks(), after, colours="orange-purple"))
    assert other["+40.0 encode (tokenizers/api.py:12)"][1] != more[1]


def test_a_difference_within_the_noise_is_grey_and_what_is_gone_stays_visible() -> None:
    near = stored([sample(MATRIX, 690), sample(ENCODE, 310)], id="p2")
    drawn = frames(diff_flamegraph(two_stacks(), near))
    assert {colour for _, colour, _ in drawn.values()} == {"#e4e4e4"}
    assert "within the noise" in drawn["addmm (libtorch_cpu.so)"][2]
    gone = frames(diff_flamegraph(two_stacks(), stored([sample(MATRIX, 1000)], id="p3")))
    assert gone["-30.0 encode (tokenizers/api.py:12)"][0] == pytest.approx(0.15, abs=1e-3)
