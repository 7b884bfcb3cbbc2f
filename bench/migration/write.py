"""Writes the models' files as services would have them: `write.py FOLDER`. Runs where `program.py` does."""

import json
import sys
import warnings
from pathlib import Path

import joblib
import nets
import numpy as np
import torch
from inputs import COLUMNS, inputs_of
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from safetensors.torch import save_file
from skl2onnx import to_onnx
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
)


def _bert(hidden: int, layers: int, heads: int) -> dict[str, object]:
    return {
        "model_type": "bert", "architectures": ["BertModel"], "hidden_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": heads, "intermediate_size": 4 * hidden, "vocab_size": 30522, "max_position_embeddings": 512,
        "type_vocab_size": 2,
    }  # fmt: skip


def _gpt(hidden: int, layers: int, heads: int, vocabulary: int) -> dict[str, object]:
    return {
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": hidden, "n_layer": layers, "n_head": heads,
        "n_inner": 4 * hidden, "vocab_size": vocabulary, "n_positions": 1024,
    }  # fmt: skip


CONFIGURATIONS = {
    "encoder": _bert(384, 6, 12),
    "encoder-large": _bert(768, 4, 12),
    "decoder": _gpt(640, 10, 10, 32000),
    "decoder-wide": _gpt(1024, 6, 16, 8000),
}
TREES = {
    "forest": RandomForestClassifier(n_estimators=100, random_state=0),
    "boosting": GradientBoostingRegressor(n_estimators=200, max_depth=5, random_state=0),
    "forest-regression": ExtraTreesRegressor(n_estimators=60, max_depth=12, random_state=0),
    "boosting-classifier": GradientBoostingClassifier(n_estimators=60, max_depth=3, random_state=0),
}


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    for name, kind in nets.NETS.items():
        torch.manual_seed(0)
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        net = kind().eval()
        save_file(net.state_dict(), place / "model.safetensors")
        if name in CONFIGURATIONS:
            (place / "config.json").write_text(json.dumps(CONFIGURATIONS[name]))
        if not name.startswith("decoder"):
            _export(net, name, place)
    random = np.random.default_rng(0)
    x = random.random((2000, COLUMNS), dtype=np.float32)
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0.7).astype(np.int64)
    for name, net in TREES.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        net.fit(x, y)
        joblib.dump(net, place / "model.joblib")
        (place / "model.onnx").write_bytes(to_onnx(net, x[:1], target_opset=17).SerializeToString())


def _export(net: torch.nn.Module, name: str, place: Path) -> None:
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
