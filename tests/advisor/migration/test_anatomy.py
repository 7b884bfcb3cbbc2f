"""What a request's CPU time consists of, from built profiles."""

import pytest

from advisor.migration.anatomy import Anatomy, anatomy_of
from advisor.migration.cpu import HostCpu
from advisor.migration.spread import Spread
from advisor.profiling.view import ProfileView
from tests.advisor.profiles_built import worker_profile

HOST = HostCpu(
    flops=Spread(5e10, 1e11, 1.5e11),
    bytes_per_core=Spread(8e9, 1e10, 1.6e10),
    int8=Spread(1.8, 3.0, 4.2),
    told_by="built",
)


def seen(
    hot: list[tuple[str, float, str]], predicting: float = 1.0, samples: int = 4000, **classes: float
) -> ProfileView:
    one = worker_profile(101, 1.0, classes, samples=samples, hot=hot, phases={"predict": predicting})
    return ProfileView(age_seconds=1.0, workers=(one,))


def anatomy(profile: ProfileView, cpu_seconds: float = 0.01, weights: float = 4e7) -> Anatomy:
    found = anatomy_of(profile, cpu_seconds, weights, HOST)
    assert found is not None
    return found


def test_a_matrix_times_a_vector_is_told_by_its_name():
    found = anatomy(seen([("mkl_blas_def_xsgemv (libtorch_cpu.so)", 0.8, "kernel")], kernel=0.9, array=0.1))
    assert (found.stream.mode, found.packing, found.kernel, found.array) == (0.8, 0.0, 0.9, 0.1)


def test_packing_is_told_by_its_name_and_lines_of_python_do_not_count_for_it():
    hot = [
        ("Linear.forward (torch/nn/modules/linear.py:134)", 0.9, "kernel"),
        ("mkl_blas_def_sgemm_kernel_0_zen (libtorch_cpu.so)", 0.6, "kernel"),
        ("mkl_blas_def_sgemm_scopy_right16_bdz (libtorch_cpu.so)", 0.25, "kernel"),
        ("copy_to (app.py:7)", 0.05, "kernel"),
    ]
    found = anatomy(seen(hot, kernel=0.9, array=0.1))
    assert (found.stream.high, found.packing) == (0.0, 0.25)


def test_without_names_the_bytes_tell_how_much_reading_there_can_be():
    hot = [("(no symbol) (onnxruntime_pybind11_state.so)", 0.95, "kernel")]
    read = anatomy(seen(hot, kernel=1.0), cpu_seconds=0.004, weights=3e7)
    assert (read.stream.low, read.stream.mode, read.stream.high) == pytest.approx((0.75, 0.75, 0.9375))
    computed = anatomy(seen(hot, kernel=1.0), cpu_seconds=0.1, weights=3e7)
    assert (computed.stream.low, computed.stream.mode) == pytest.approx((0.0, 0.03))


def test_spinning_is_no_work():
    found = anatomy(seen([("sgemv_t (libopenblas.so)", 0.3, "kernel")], kernel=0.4, spin=0.5, array=0.1))
    assert (found.kernel, found.array, found.stream.mode) == pytest.approx((0.8, 0.2, 0.6))
    assert anatomy_of(seen([], spin=0.99, kernel=0.01), 0.01, 1e6, HOST) is None


def test_what_is_outside_of_the_model_is_known_classes_and_python_that_no_call_of_it_is_above():
    unnamed = anatomy(seen([], predicting=0.0, kernel=0.6, serialise=0.1, python=0.3))
    assert (unnamed.outside.low, unnamed.outside.mode, unnamed.outside.high) == pytest.approx((0.09, 0.19, 0.4))
    named = anatomy(seen([], predicting=0.7, kernel=0.6, serialise=0.1, python=0.3))
    error = (0.3 * 0.7 / 300) ** 0.5  # of six seconds at fifty looks
    assert (named.outside.low, named.outside.mode) == pytest.approx((0.3 - 2 * error, 0.3))
    within = anatomy(seen([], predicting=0.99, kernel=0.6, serialise=0.1, python=0.3))
    assert within.outside.mode == pytest.approx(0.01), "what is called under the model's call is of it"


def test_handing_parts_of_a_call_to_a_pool_is_of_the_call():
    hot = [("Parallel._get_sequential_output (joblib/parallel.py:1940)", 0.1, "glue")]
    found = anatomy(seen(hot, glue=0.1, trees=0.3, array=0.6))
    assert found.outside.high == pytest.approx(0.0, abs=1e-9)
    assert found.calling == pytest.approx(0.1)


def test_walking_of_trees_is_native_alone():
    hot = [
        ("DecisionTreeClassifier.predict_proba (sklearn/tree/_classes.py:1049)", 0.12, "trees"),
        ("__pyx_f_7sklearn_4tree_5_tree_4Tree__apply_dense (_tree.so)", 0.02, "trees"),
    ]
    found = anatomy(seen(hot, trees=0.15, array=0.85))
    assert (found.trees, found.walking.low, found.walking.high) == pytest.approx((0.15, 0.02, 0.03))


def test_convolutions_are_told_by_lines_too():
    hot = [("Conv2d._conv_forward (torch/nn/modules/conv.py:560)", 0.8, "kernel")]
    assert anatomy(seen(hot, kernel=0.8, array=0.2)).convolves
    assert not anatomy(seen([], kernel=0.8, array=0.2)).convolves


def test_without_native_functions_nothing_is_told():
    """Python alone does not say whether a line walks trees or calls them."""
    blind = worker_profile(101, 1.0, {"trees": 0.97}, samples=4000, native=False)
    assert anatomy_of(ProfileView(age_seconds=1.0, workers=(blind,)), 0.01, 1e6, HOST) is None
    idle = worker_profile(101, 0.0, {"kernel": 0.97}, samples=4000)
    assert anatomy_of(ProfileView(age_seconds=1.0, workers=(idle,)), 0.01, 1e6, HOST) is None


def test_nothing_seen_is_nothing_told():
    assert anatomy_of(ProfileView(age_seconds=1.0, workers=()), 0.01, 1e6, HOST) is None
