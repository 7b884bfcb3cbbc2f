"""Networks of the kinds that services run, small enough to be measured in seconds. Weights are random: time does not depend on
them. Needs torch alone."""

from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import nn


class Mlp(nn.Module):
    """Dense layers, as for tabular features: 11 million weights."""

    def __init__(self, inputs: int = 512, hidden: int = 2048, layers: int = 3, outputs: int = 10) -> None:
        super().__init__()
        sizes = [inputs, *[hidden] * layers]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = F.relu(layer(x))
        return self.head(x)


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm_one = nn.BatchNorm2d(outputs)
        self.two = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm_two = nn.BatchNorm2d(outputs)
        self.short = None
        if stride != 1 or inputs != outputs:
            self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm_one(self.one(x)))
        y = self.norm_two(self.two(y))
        return F.relu(y + (x if self.short is None else self.short(x)))


class Plain(nn.Module):
    """Convolutions without short cuts, as VGG has them."""

    def __init__(self, widths: tuple[int, ...] = (48, 96, 192, 384), classes: int = 100) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((3, *widths)):
            layers += [
                nn.Conv2d(before, after, 3, 1, 1),
                nn.ReLU(),
                nn.Conv2d(after, after, 3, 1, 1),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(x).mean((2, 3)))


class Cnn(nn.Module):
    """ResNet-18 (He et al. 2015)."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.norm = nn.BatchNorm2d(64)
        widths = (64, 64, 128, 256, 512)
        self.blocks = nn.Sequential(
            *(
                _Block(before if n == 0 else after, after, 2 if n == 0 and after != 64 else 1)
                for before, after in pairwise(widths)
                for n in range(2)
            )
        )
        self.head = nn.Linear(512, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 3, 2, 1)
        return self.head(self.blocks(x).mean((2, 3)))


class _Layer(nn.Module):
    """A transformer's layer; with `cache` the keys and values of earlier tokens come before its own."""

    def __init__(self, hidden: int, heads: int, inside: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.value, self.output = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.norm_one, self.norm_two = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.up, self.down = nn.Linear(hidden, inside), nn.Linear(inside, hidden)

    def forward(self, x: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor] | None = None):
        q, k, v = (self._split(part(x)) for part in (self.query, self.key, self.value))
        if past is not None:
            k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
        seen = F.scaled_dot_product_attention(q, k, v)
        x = self.norm_one(x + self.output(seen.transpose(1, 2).flatten(2)))
        return self.norm_two(x + self.down(F.gelu(self.up(x)))), (k, v)

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Encoder(nn.Module):
    """BERT's form with six layers of 384, as of MiniLM-L6."""

    def __init__(self, vocabulary: int = 30522, hidden: int = 384, layers: int = 6, heads: int = 12) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, hidden)
        self.positions = nn.Embedding(512, hidden)
        self.types = nn.Embedding(2, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.layers = nn.ModuleList(_Layer(hidden, heads, 4 * hidden) for _ in range(layers))
        self.pooler = nn.Linear(hidden, hidden)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.table(tokens) + self.positions(places) + self.types.weight[0])
        for layer in self.layers:
            x, _ = layer(x)
        return torch.tanh(self.pooler(x[:, 0]))


class Decoder(nn.Module):
    """A GPT of ten layers of 640 that generates sixteen tokens with a cache; its table is the output layer, too."""

    def __init__(self, vocabulary: int = 32000, hidden: int = 640, layers: int = 10, heads: int = 10) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, hidden)
        self.positions = nn.Embedding(1024, hidden)
        self.layers = nn.ModuleList(_Layer(hidden, heads, 4 * hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)

    def forward(self, tokens: torch.Tensor, generate: int = 16) -> torch.Tensor:
        pasts: list[tuple[torch.Tensor, torch.Tensor] | None] = [None] * len(self.layers)
        said = []
        place = 0
        for _ in range(generate):
            places = torch.arange(place, place + tokens.shape[1], device=tokens.device)
            x = self.table(tokens) + self.positions(places)
            for number, layer in enumerate(self.layers):
                x, pasts[number] = layer(x, pasts[number])
            place += tokens.shape[1]
            tokens = F.linear(self.norm(x[:, -1:]), self.table.weight).argmax(-1)
            said.append(tokens)
        return torch.cat(said, 1)


NETS = {
    "mlp": Mlp,
    "cnn": Cnn,
    "encoder": Encoder,
    "decoder": Decoder,
    "mlp-large": lambda: Mlp(256, 4096, 4, 32),
    "cnn-plain": Plain,
    "encoder-large": lambda: Encoder(hidden=768, layers=4, heads=12),
    "decoder-wide": lambda: Decoder(vocabulary=8000, hidden=1024, layers=6, heads=16),
}
DEEP = {
    "encoder-base": lambda: Encoder(hidden=768, layers=12, heads=12),
    "decoder-deep": lambda: Decoder(vocabulary=32000, hidden=1024, layers=24, heads=16),
}
"""For devices alone."""
ALL = NETS | DEEP
