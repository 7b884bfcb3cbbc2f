"""Pieces of work of one class each, a tenth of a millisecond to some milliseconds at a time.

What a piece needs is imported when it is made.
"""

import gc
import io
import json
import random
from typing import Any

from sections import Piece

_RANDOM = random.Random(0)


def document() -> dict[str, Any]:
    """What a client may send: numbers, texts, and lists of both."""
    rows = [{"id": i, "name": f"row {i}", "values": [_RANDOM.random() for _ in range(12)]} for i in range(40)]
    return {"model": "victim", "rows": rows, "flags": [True, False, None] * 20, "text": "so it goes " * 60}


def json_piece() -> Piece:
    payload = document()

    def run() -> None:
        json.loads(json.dumps(payload))

    return run


def orjson_piece() -> Piece:
    import orjson

    payload = document()

    def run() -> None:
        for _ in range(10):
            text = orjson.dumps(payload)
            orjson.loads(text)

    return run


def pydantic_piece() -> Piece:
    import pydantic

    class Row(pydantic.BaseModel):
        id: int
        name: str
        values: list[float]

    class Body(pydantic.BaseModel):
        model: str
        rows: list[Row]

    payload = {key: value for key, value in document().items() if key in ("model", "rows")}

    def run() -> None:
        for _ in range(5):
            Body.model_validate(payload).model_dump_json()

    return run


def pickle_piece() -> Piece:
    import pickle

    payload = document()

    def run() -> None:
        for _ in range(5):
            pickle.loads(pickle.dumps(payload))

    return run


def lists_piece() -> Piece:
    """Arrays out of lists and back, which is part of parsing."""
    import numpy as np

    values = [_RANDOM.random() for _ in range(5000)]

    def run() -> None:
        array = np.array(values)
        array.tolist()

    return run


def python_piece() -> Piece:
    names = [f"name {i}" for i in range(50)]

    def score(name: str, weight: int) -> float:
        total = 0.0
        for letter in name:
            total += (ord(letter) * weight) % 7
        return total / len(name)

    def run() -> dict[str, float]:
        scores = {}
        for _ in range(6):
            scores = {name: score(name, at) for at, name in enumerate(names)}
        return scores

    return run


def product_piece() -> Piece:
    import numpy as np

    left = np.random.default_rng(0).random((200, 200), dtype="float32")

    def run() -> None:
        for _ in range(8):
            left @ left

    return run


def array_piece() -> Piece:
    import numpy as np

    values = np.random.default_rng(0).random(40_000)

    def run() -> None:
        for _ in range(4):
            np.exp(values) + values * 2.0 - np.sqrt(values)

    return run


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE(unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(
        sentences(), trainers.BpeTrainer(vocab_size=400, special_tokens=["?"], show_progress=False)
    )
    return made


def sentences() -> list[str]:
    words = ["the", "model", "reads", "a", "sentence", "of", "many", "words", "and", "gives", "numbers", "for", "each"]
    return [" ".join(_RANDOM.choices(words, k=14)) + f" {i}" for i in range(300)]


def tokens_piece() -> Piece:
    made, text = tokenizer(), " ".join(sentences()[:20])

    def run() -> None:
        made.encode(text)

    return run


def token_batches_piece() -> Piece:
    made, texts = tokenizer(), sentences()

    def run() -> None:
        made.encode_batch(texts)

    return run


def image_piece() -> Piece:
    import numpy as np
    from PIL import Image

    plain = np.kron(np.random.default_rng(0).integers(0, 255, (30, 40, 3)), np.ones((10, 10, 1))).astype("uint8")
    stream = io.BytesIO()
    Image.fromarray(plain).save(stream, "JPEG")
    encoded = stream.getvalue()

    def run() -> None:
        image = Image.open(io.BytesIO(encoded))
        image.resize((112, 112))

    return run


def forest_piece() -> Piece:
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    rows = np.random.default_rng(0).random((80_000, 12), dtype="float32")  # few calls: checking arguments is Python
    forest = RandomForestRegressor(6, n_jobs=1, random_state=0).fit(rows, rows[:, 0] + np.sin(9 * rows[:, 1]))

    def run() -> None:
        forest.predict(rows)

    return run


def linear_piece() -> Piece:
    import torch

    torch.set_num_threads(1)
    model = torch.nn.Sequential(torch.nn.Linear(1024, 1024), torch.nn.Linear(1024, 1024)).eval()
    batch = torch.randn(64, 1024)

    def run() -> None:
        with torch.inference_mode():
            model(batch)

    return run


def convolution_piece() -> Piece:
    import torch

    torch.set_num_threads(1)
    model = torch.nn.Conv2d(32, 64, 3).eval()
    batch = torch.randn(2, 32, 96, 96)

    def run() -> None:
        with torch.inference_mode():
            model(batch)

    return run


def elementwise_piece() -> Piece:
    import torch

    torch.set_num_threads(1)
    batch = torch.randn(800, 800)

    def run() -> None:
        with torch.inference_mode():
            torch.sigmoid(batch) * batch + torch.exp(batch)

    return run


def garbage_piece() -> Piece:
    kept = [[i] for i in range(20_000)]

    def run() -> int:
        return gc.collect() + len(kept)

    return run


def socket_piece() -> Piece:
    import socket

    here, there = socket.socketpair()
    block = bytes(32_768)

    def run() -> None:
        for _ in range(20):
            here.sendall(block)
            left = len(block)
            while left:
                left -= len(there.recv(left))

    return run


WORK = {
    "json": "serialise", "orjson": "serialise", "pydantic": "serialise", "pickle": "serialise", "lists": "serialise",
    "python": "python", "product": "kernel", "array": "array", "tokens": "tokenise", "token_batches": "tokenise",
    "image": "decode", "forest": "trees", "linear": "kernel", "convolution": "kernel", "elementwise": "array",
    "garbage": "gc", "socket": "io",
}  # fmt: skip
"""The class that each piece is meant to be."""

POOLED = ("token_batches",)
"""Pieces whose work is done by a pool of threads that Python does not know."""


def make(name: str) -> Piece:
    made: Piece = globals()[f"{name}_piece"]()
    return made
