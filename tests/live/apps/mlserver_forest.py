"""A forest of 100 trees for MLServer: each call hands the trees to a pool of threads, however few rows it brings."""

import os

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from sklearn.ensemble import RandomForestRegressor

COLUMNS = 8
TREES = 100


class ForestModel(MLModel):
    async def load(self) -> bool:
        drawn = np.random.default_rng(1)
        rows = drawn.normal(size=(2000, COLUMNS))
        pool = int(os.environ.get("FOREST_JOBS", "2"))
        self._forest = RandomForestRegressor(TREES, max_depth=8, n_jobs=pool, random_state=1)
        self._forest.fit(rows, rows.sum(axis=1))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        found = self._forest.predict(rows)[:, None]
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", found)])
