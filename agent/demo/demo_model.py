"""What does the demo's model compute? A dense network on numpy: 10 to 15 ms of BLAS on one core for each request.

MLServer loads this file inside the demo's own environment; nothing of nodewright imports it.
"""

import numpy as np  # type: ignore[import-not-found, unused-ignore]
from mlserver import MLModel  # type: ignore[import-not-found, unused-ignore]
from mlserver.codecs import NumpyCodec  # type: ignore[import-not-found, unused-ignore]
from mlserver.types import (  # type: ignore[import-not-found, unused-ignore]
    InferenceRequest,
    InferenceResponse,
)

LAYERS = 12
WIDTH = 900
ROWS = 64


class DemoModel(MLModel):  # type: ignore[misc, unused-ignore]
    """Sums the last layer's output; the request's number fills the first."""

    async def load(self) -> bool:
        generator = np.random.default_rng(0)
        self._weights = generator.random((WIDTH, WIDTH), dtype=np.float32) / WIDTH
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = np.full((ROWS, WIDTH), NumpyCodec.decode_input(payload.inputs[0]).flat[0], dtype=np.float32)
        for _ in range(LAYERS):
            rows = np.tanh(rows @ self._weights)
        total = NumpyCodec.encode_output("total", np.array([[rows.sum()]], dtype=np.float32))
        return InferenceResponse(model_name=self.name, outputs=[total])
