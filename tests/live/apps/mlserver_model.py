"""A model for MLServer that waits as long as its settings say and fails for a negative number."""

import asyncio
import os

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

WAIT_SECONDS = float(os.environ.get("WAIT_SECONDS", "0.2"))


class WaitingModel(MLModel):
    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        value = NumpyCodec.decode_input(payload.inputs[0])
        await asyncio.sleep(WAIT_SECONDS)
        if value.flat[0] < 0:
            raise ValueError("a negative number")
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", value)])
