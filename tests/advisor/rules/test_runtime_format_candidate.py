"""R45 on built hosts."""

import pytest
from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.migration.estimate import estimate
from advisor.rules.cpu_oversubscribed_openmp import CpuOversubscribedOpenmp
from advisor.rules.runtime_format_candidate import RuntimeFormatCandidate
from advisor.view import View
from collectors.entities import Model
from collectors.levers import Lever
from collectors.model_file import ModelFile
from collectors.profiles.profile import Missing
from tests.advisor.built import concluded, fighting_pools, gains, judged, numbers, verdict
from tests.advisor.migration.migrating import AVX512, encoder, market
from tests.advisor.profiles_built import profiled, worker_profile

RULE = RuntimeFormatCandidate()
PACKING = [
    ("mkl_blas_def_sgemm_scopy_right16 (libtorch_cpu.so)", 0.2, "kernel"),
    ("sgemm_kernel (libtorch_cpu.so)", 0.4, "kernel"),
]
TREES = [
    ("_FuncWrapper.__call__ (sklearn/utils/parallel.py:173)", 0.3, "array"),
    ("apply_dense (_tree.so)", 0.02, "trees"),
]
EAGER = {"kernel": 0.65, "array": 0.2, "python": 0.1, "serialise": 0.05}


def mapping(seen: View, *libraries: str) -> View:
    workers = tuple(replace(w, compute_libraries=libraries) for w in seen.service.workers)
    return replace(seen, service=replace(seen.service, workers=workers))


def eager(busy: float = 1.0, libraries: tuple[str, ...] = ("torch", "mkl")) -> View:
    return mapping(encoder(busy), *libraries)


def known(
    seen: View, samples: int = 2000, hot: list[tuple[str, float, str]] | None = None, **classes: float
) -> ServiceFacts:
    profiles = [
        worker_profile(w.key.pid, w.cores_used, classes or EAGER, samples=samples // 4, phases={"predict": 0.93},
                       hot=PACKING if hot is None else hot)
        for w in seen.workers[:4]
    ]  # fmt: skip
    facts = replace(profiled(seen, *profiles), cpu=AVX512)
    return replace(facts, migration=estimate(seen, facts, market(seen)))


def forest() -> View:
    """scikit-learn's: many small calls of Python for one row."""
    seen = eager(libraries=("openblas",))
    files = (
        ModelFile(path="/m/model.joblib", format="joblib", size_bytes=3_000_000, architecture="RandomForestClassifier"),
    )
    return replace(seen, service=replace(seen.service, models=(Model(name="forest", files=files),)))


def test_an_eager_encoder_on_full_cores_is_exported():
    seen = eager()
    found = concluded(RULE, seen, known(seen))
    assert found.title.startswith("export the model from PyTorch to ONNX: ×")
    assert (found.changes[0].lever, found.changes[0].proposed) == (Lever.MODEL_RUNTIME, "onnxruntime")
    assert numbers(found)["model_share"] == pytest.approx(0.93)
    low, likely, high = gains(found)["throughput_ratio"]
    assert numbers(found)["throughput_ratio_p10"] == pytest.approx(low, abs=1e-3)
    # 0.05 outside, 0.45 of products at 0.65 to 1.05, 0.2 packed once, 0.28 of calls and elementwise work that is fused
    assert 1.3 < low < likely < high < 2.1
    assert gains(found)["latency_p50_ratio"][1] == pytest.approx(1 / likely, rel=1e-2)


def test_a_forest_of_scikit_learn_becomes_one_call():
    seen = forest()
    facts = known(seen, hot=TREES, trees=0.1, array=0.7, python=0.18, serialise=0.02)
    found = concluded(RULE, seen, facts)
    assert "scikit-learn" in found.title
    low, _, high = gains(found)["throughput_ratio"]
    assert 5 < low < high < 50, "the parsing of its requests stays"


def test_a_part_just_too_small_in_the_model_is_left():
    seen = eager()
    within, below = (
        known(seen, kernel=share - 0.2, array=0.2, serialise=0.3, glue=0.7 - share) for share in (0.62, 0.58)
    )
    assert concluded(RULE, seen, within)
    assert verdict(RULE, seen, below) is None


def test_a_gain_that_is_not_sure_is_not_told():
    seen = eager()
    assert (
        verdict(RULE, seen, known(seen, hot=[("sgemm_kernel (libtorch_cpu.so)", 0.9, "kernel")], kernel=0.98)) is None
    )


@pytest.mark.parametrize("libraries", [("torch", "onnxruntime"), ("openvino",), ("tensorflow",), ("llama",)])
def test_a_graph_runtime_is_there_already(libraries: tuple[str, ...]):
    seen = eager(libraries=libraries)
    assert verdict(RULE, seen, known(seen)) is None


def test_torch_compile_has_done_it():
    seen = eager()
    compiled = [("call (/tmp/torchinductor_root/ab/cabc.py:40)", 0.3, "kernel")]
    assert verdict(RULE, seen, known(seen, hot=compiled)) is None


@pytest.mark.parametrize(
    "library", ["xgboost/core.py:2400", "catboost/core.py:2600", "lightgbm/basic.py:1200", "treelite_runtime/x.py:1"]
)
@pytest.mark.parametrize("mapped", [("openblas",), ("openblas", "torch")])
def test_libraries_of_trees_walk_them_in_one_call(library: str, mapped: tuple[str, ...]):
    seen = mapping(forest(), *mapped)
    hot = [(f"predict ({library})", 0.5, "trees"), ("check_array (sklearn/utils/validation.py:900)", 0.1, "array")]
    assert verdict(RULE, seen, known(seen, hot=hot, trees=0.8, python=0.2)) is None


def test_without_native_functions_it_names_the_right_that_is_missing():
    seen = forest()
    facts = known(seen, hot=TREES, trees=0.97, python=0.03)
    assert facts.profile is not None
    missing = (Missing("native", "perf events are not allowed", "CAP_PERFMON for the sidecar"),)
    blind = replace(
        facts.profile, missing=missing, workers=tuple(replace(w, native=False) for w in facts.profile.workers)
    )
    found = verdict(RULE, seen, replace(facts, profile=blind))
    assert isinstance(found, Need)
    assert "CAP_PERFMON" in found.text


def test_a_service_with_time_to_spare_is_left():
    seen = eager(0.3)
    assert verdict(RULE, seen, known(seen)) is None


def test_without_profile_or_maps_it_does_not_guess():
    seen = eager()
    found = verdict(RULE, seen, replace(known(seen), profile=None))
    assert isinstance(found, Need)
    assert found.kind == "profile"
    unread = replace(seen, service=replace(seen.service, workers=tuple(
        replace(w, compute_libraries=None) for w in seen.service.workers)))  # fmt: skip
    assert verdict(RULE, unread, known(unread)) is None
    assert verdict(RULE, seen, known(seen, samples=200)) is None


def test_requests_that_nobody_counts_are_what_is_missing():
    seen = replace(eager(), requests_per_second=None)
    found = verdict(RULE, seen, known(seen))
    assert isinstance(found, Need)
    assert "requests" in found.text


def test_threads_that_fight_are_mended_first():
    seen = mapping(fighting_pools(), "torch", "openblas")
    facts = replace(known(seen), migration=known(eager()).migration)
    assert concluded(RULE, seen, facts)
    said = [j.rule for j in judged([RULE, CpuOversubscribedOpenmp()], seen, facts).judged]
    assert said == ["cpu-oversubscribed-openmp"]
