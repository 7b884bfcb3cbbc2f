"""Classes of work of libraries that take long to install: tokenizers, Pillow, scikit-learn, orjson; and torch where it is.

torch has no small wheel on the common index: name an interpreter that has it in NODEWRIGHT_TORCH_PYTHON.
"""

import os

import pytest

from tests.live.environments import environment
from tests.victims import check_classes, watch

TORCH = os.environ.get("NODEWRIGHT_TORCH_PYTHON")

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.heavy]


@pytest.mark.parametrize(
    "mixture",
    [
        "orjson=5 python=5",
        "tokens=5 json=5",
        "tokens=4 json=3 python=3",
        "token_batches=5",
        "image=5 json=3 python=2",
        "image=4 array=4 json=4",
        "forest=150 json=100",
        "forest=150 image=60",
    ],
)
def test_the_work_of_libraries_is_told_by_their_functions(mixture: str) -> None:
    check_classes(watch("mixture.py", *mixture.split(), python=str(environment("victims") / "python")))


@pytest.mark.skipif(TORCH is None, reason="NODEWRIGHT_TORCH_PYTHON names no interpreter with torch")
@pytest.mark.parametrize(
    "mixture", ["linear=5 json=5", "convolution=5 python=5", "elementwise=5 linear=5", "linear=5 python=3 json=3"]
)
def test_torch_is_told_by_its_functions(mixture: str) -> None:
    check_classes(watch("mixture.py", *mixture.split(), python=str(TORCH)))
