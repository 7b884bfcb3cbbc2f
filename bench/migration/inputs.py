"""What are the models asked? Random numbers of the shapes that services take; needs numpy alone."""

import numpy as np

COLUMNS = 40


def inputs_of(model: str, batch: int) -> np.ndarray:
    random = np.random.default_rng(0)
    match model:
        case "mlp" | "mlp-large":
            return random.standard_normal((batch, 512 if model == "mlp" else 256), dtype=np.float32)
        case "cnn" | "cnn-plain":
            side = 112 if model == "cnn" else 64
            return random.standard_normal((batch, 3, side, side), dtype=np.float32)
        case "encoder" | "encoder-large" | "encoder-base":
            return random.integers(0, 30_000, (batch, 64 if model == "encoder" else 128))
        case "decoder" | "decoder-wide" | "decoder-deep":
            return random.integers(0, 8_000, (batch, 16 if model == "decoder" else 24))
    return random.random((batch, COLUMNS), dtype=np.float32)
