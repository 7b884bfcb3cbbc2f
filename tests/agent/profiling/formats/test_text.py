"""Does the text say the numbers of the profile?"""

from advisor.profiling.difference import difference
from agent.profiling.formats.text import difference_text, profile_text
from tests.agent.profiling.examples import ENCODE, MATRIX, sample, stored, two_stacks, whole


def test_a_profile_with_a_digest_shows_classes_waits_and_the_gil() -> None:
    text = profile_text(whole())
    assert "gunicorn/app:8000 pid 812, 2026-10-31 12:00:00 UTC" in text
    assert "burst (gil-bound-worker), 10 s at 50 Hz; samples: Python threads on a CPU 1000, holding the GIL 250" in text
    assert "kernel     70.0 % ± 2.0  █████████████████████" in text
    assert "70.0 %  addmm (libtorch_cpu.so)  [kernel]" in text
    assert "0.75  gil" in text
    assert "GIL held 80.0 % ± 5.0 of the time; 0.75 threads waited for it" in text
    assert "taking it cost 0.25 s of CPU, the process was held for 0.50 s" in text
    assert "not seen: native: perf events are not allowed (sysctl kernel.perf_event_paranoid=1)" in text
    assert "25.0  50.0  12.5 %      1.0 MiB    2.0 MiB/s      –  app.py:42 x = encode(y)" in text


def test_without_a_digest_classes_are_of_the_samples_with_their_error() -> None:
    text = profile_text(two_stacks())
    assert "kernel     70.0 % ± 1.4" in text
    assert "tokenise   30.0 % ± 1.4" in text
    assert "30.0 %  encode (tokenizers/api.py:12)  [tokenise]" in text


def test_one_side_is_shown_on_request() -> None:
    text = profile_text(whole(), "wait")
    assert "Python threads that wait, by class of work" in text
    assert "loop  100.0 % ± 0.0" in text


def test_a_profile_of_nothing_says_so() -> None:
    assert "no samples" in profile_text(stored())


def test_a_change_is_told_with_its_error_and_noise_is_called_noise() -> None:
    after = stored([sample(MATRIX, 500, work="kernel"), sample(ENCODE, 500, work="tokenise")], id="p2")
    text = difference_text(difference(two_stacks(), after))
    (line,) = [one for one in text.splitlines() if "addmm" in one]
    assert "70.0 %     50.0 %      -20.0 ± 2.1" in line
    assert "2 further functions are within the noise" in text
    assert "no function changed beyond the noise" in difference_text(difference(two_stacks(), two_stacks()))


def test_nothing_in_it_steers_a_terminal() -> None:
    hostile = stored(
        [sample(("\x1b[2J", "\x07"), 1, work="\x1b[31m", thread="\x1b")], service="\x1b]0;x", notes=("\x1b",)
    )
    text = profile_text(hostile) + difference_text(difference(hostile, hostile))
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
