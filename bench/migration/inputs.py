"""What are the models asked? Random numbers of the shapes that services take; needs numpy alone."""

import numpy as np

TOKENS, PIXELS, FEATURES, COLUMNS = 64, 112, 512, 40


def inputs_of(model: str, batch: int) -> np.ndarray:
    random = np.random.default_rng(0)
    match model:
        case "mlp":
            return random.standard_normal((batch, FEATURES), dtype=np.float32)
        case "cnn":
            return random.standard_normal((batch, 3, PIXELS, PIXELS), dtype=np.float32)
        case "encoder":
            return random.integers(0, 30_000, (batch, TOKENS))
        case "decoder":
            return random.integers(0, 30_000, (batch, 16))
    return random.random((batch, COLUMNS), dtype=np.float32)
