"""R54 on built hosts."""

import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Need
from advisor.rules.preprocess_heavy import PreprocessHeavy
from tests.advisor import profiled_hosts
from tests.advisor.built import concluded, facts, gains, numbers, verdict
from tests.advisor.profiled_hosts import decoding
from tests.advisor.profiles_built import profiled, worker_profile

RULE = PreprocessHeavy()


def of(classes: dict[str, float], phases: dict[str, float] | None = None):
    seen, _ = decoding()
    return seen, profiled(seen, *(worker_profile(k, 0.96, classes, phases=phases) for k in (101, 102)))


def test_decoding_is_done_at_the_size_that_is_needed():
    found = concluded(RULE, *decoding())
    assert [(c.lever, c.proposed) for c in found.changes] == [("preprocessing", "decode at the needed scale")]
    shown = numbers(found)
    assert (shown["decode_share"], shown["tokenise_share"], shown["features_share"]) == pytest.approx((0.7, 0, 0.02))
    assert shown["preprocess_share"] == pytest.approx(0.72)
    assert "jpeg_read_scanlines" in found.summary


def test_the_gain_is_by_stage_and_at_most_what_amdahl_allows():
    error = (0.7 * 0.3 / 600) ** 0.5
    own = (0.02 * 0.98 / 600) ** 0.5
    low, likely, high = gains(concluded(RULE, *decoding()))["throughput_ratio"]
    assert low == pytest.approx(1 / (1 - 0.2 * (0.7 - error)), abs=0.001)
    assert likely == pytest.approx(1 / (1 - 0.65 * 0.7 - 0.4 * 0.02), abs=0.001)
    assert high == pytest.approx(1 / (1 - 0.7 - error - 0.02 - own), abs=0.02)
    assert low < 2.5 < high


def test_tokenising_gets_a_compiled_tokeniser_and_may_gain_nothing():
    found = concluded(RULE, *of({"tokenise": 0.6, "kernel": 0.3}))
    assert found.changes[0].proposed == "a compiled tokeniser, truncating"
    assert gains(found)["throughput_ratio"][0] == 1.0


def test_features_are_what_the_phase_holds_beside_decoding_and_payloads():
    seen, known = of({"python": 0.6, "serialise": 0.1, "kernel": 0.2}, {"preprocess": 0.65})
    assert numbers(concluded(RULE, seen, known))["features_share"] == pytest.approx(0.55)
    assert verdict(RULE, *of({"python": 0.5, "serialise": 0.3}, {"preprocess": 0.65})) is None


@pytest.mark.parametrize(
    "classes",
    [
        {"decode": 0.41, "kernel": 0.5},  # within its error of the threshold
        {"decode": 0.45, "serialise": 0.5},
        {"decode": 0.6, "cuda-sync": 0.2},
    ],
)
def test_what_just_misses(classes: dict[str, float]):
    assert verdict(RULE, *of(classes)) is None


def test_full_cores_without_a_profile_ask_for_one_and_an_idle_service_is_asked_nothing():
    seen, _ = decoding()
    need = verdict(RULE, seen, facts(seen, environ={}))
    assert isinstance(need, Need)
    assert need.kind == "profile"
    idle, _ = profiled_hosts.healthy_profiled()
    assert verdict(RULE, idle, facts(idle)) is None


def test_look_alikes_are_listed_with_their_numbers():
    listed = {r.cause: r.because for r in concluded(RULE, *decoding()).rejected}
    assert listed["serialisation-heavy"] == "(de)serialising took 0% ± 0%"
    assert listed["gpu-starved-by-preprocess"] == "calls of CUDA took 0% ± 0%"


@pytest.mark.parametrize("host", [h for h in profiled_hosts.ALL if h is not decoding], ids=lambda h: h.__name__)
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, *host()) is None


def test_it_is_the_root_cause_on_its_host():
    ranked = Engine(all_rules()).judge(*decoding()).judged
    assert [j.rule for j in ranked if j.cause is None] == ["preprocess-heavy"]


def test_a_tokeniser_that_is_compiled_already_should_truncate_and_promises_little():
    hot = [("tokenizers::tokenizer::encode (tokenizers.abi3.so)", 0.4, "tokenise")]
    seen, _ = of({"tokenise": 0.6, "kernel": 0.3})
    known = profiled(seen, *(worker_profile(k, 0.96, {"tokenise": 0.6, "kernel": 0.3}, hot=hot) for k in (101, 102)))
    found = concluded(RULE, seen, known)
    assert found.changes[0].proposed == "truncate, and keep what repeats"
    assert gains(found)["throughput_ratio"][1] == pytest.approx(1 / (1 - 0.6 * 0.1), abs=0.01)


@pytest.mark.parametrize(
    "where",
    [
        "PreTrainedTokenizerFast._batch_encode_plus (transformers/tokenization_utils_fast.py:532)",
        "encode (tiktoken/core.py:123)",
    ],
)
def test_the_line_that_calls_a_compiled_tokeniser_tells_it_too(where: str):
    hot = [(where, 0.55, "tokenise"), ("tokenizers::models::bpe (tokenizers.abi3.so)", 0.15, "tokenise")][:1]
    seen, _ = of({"tokenise": 0.6, "kernel": 0.3})
    known = profiled(seen, *(worker_profile(k, 0.96, {"tokenise": 0.6, "kernel": 0.3}, hot=hot) for k in (101, 102)))
    assert concluded(RULE, seen, known).changes[0].proposed == "truncate, and keep what repeats"


def test_features_may_be_what_is_of_no_known_class_and_count_once():
    found = gains(concluded(RULE, *of({"decode": 0.55, "unknown": 0.25}, phases={"preprocess": 0.75})))
    error = (0.55 * 0.45 / 400) ** 0.5
    assert found["throughput_ratio"][2] == pytest.approx(1 / (1 - 0.55 - error - 0.25), rel=0.25)
    assert found["throughput_ratio"][2] < 51
