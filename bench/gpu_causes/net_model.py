"""A network on a GPU for MLServer, one pass for all rows that a call brings: eager, so that a pass costs its launches."""

import torch
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from torch import nn

WIDTH, LAYERS = 1024, 60


class NetModel(MLModel):
    async def load(self) -> bool:
        torch.set_num_threads(1)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        layers = [part for _ in range(LAYERS) for part in (nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.LayerNorm(WIDTH))]
        self._net = nn.Sequential(nn.Linear(8, WIDTH), *layers, nn.Linear(WIDTH, 4)).to(self._device).eval()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = torch.from_numpy(NumpyCodec.decode_input(payload.inputs[0])).float()
        with torch.inference_mode():
            found = self._net(rows.to(self._device)).cpu().numpy()
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", found)])
