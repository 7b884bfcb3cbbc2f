"""A BentoML service that waits for as long as a model might take, and fails for a negative number."""

import time

import bentoml

WAIT_SECONDS = 0.15


@bentoml.service(workers=2, threads=16)
class Waiting:
    @bentoml.api
    def predict(self, value: float) -> float:
        time.sleep(WAIT_SECONDS)
        if value < 0:
            raise ValueError("a negative number")
        return value
