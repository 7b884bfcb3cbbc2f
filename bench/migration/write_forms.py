"""Writes other forms of the networks (ONNX, of 8 bits too), and the trees. Runs where `program.py` does."""

from pathlib import Path

import joblib
import numpy as np
import torch
from inputs import COLUMNS, inputs_of
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from skl2onnx import to_onnx
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
)

TREES = {
    "forest": RandomForestClassifier(n_estimators=100, random_state=0),
    "boosting": GradientBoostingRegressor(n_estimators=200, max_depth=5, random_state=0),
    "forest-regression": ExtraTreesRegressor(n_estimators=60, max_depth=12, random_state=0),
    "boosting-classifier": GradientBoostingClassifier(n_estimators=60, max_depth=3, random_state=0),
}


def trees(folder: Path) -> None:
    random = np.random.default_rng(0)
    x = random.random((2000, COLUMNS), dtype=np.float32)
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0.7).astype(np.int64)
    for name, net in TREES.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        net.fit(x, y)
        joblib.dump(net, place / "model.joblib")
        (place / "model.onnx").write_bytes(to_onnx(net, x[:1], target_opset=17).SerializeToString())


def export(net: torch.nn.Module, name: str, place: Path) -> None:
    given = torch.from_numpy(inputs_of(name, 2))
    torch.onnx.export(
        net, (given,), place / "model.onnx", input_names=["x"], output_names=["y"], opset_version=17, dynamo=False,
        dynamic_axes={"x": {0: "batch"}},
    )  # fmt: skip
    quantised = place / "model.int8.onnx"
    if name.startswith("cnn"):  # convolutions want the ranges of their inputs beforehand
        quant_pre_process(place / "model.onnx", place / "model.prepared.onnx")
        quantize_static(
            place / "model.prepared.onnx", quantised, Ranges(name), quant_format=QuantFormat.QDQ, per_channel=True
        )
    else:
        quantize_dynamic(place / "model.onnx", quantised, weight_type=QuantType.QInt8)


class Ranges(CalibrationDataReader):
    """A few inputs, as calibration wants them."""

    def __init__(self, name: str) -> None:
        self._left = [{"x": inputs_of(name, 1)} for _ in range(4)]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self._left.pop() if self._left else None
