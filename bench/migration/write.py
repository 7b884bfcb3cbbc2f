"""Writes the models' files as services would have them: `write.py FOLDER [NETWORK ...]`, of named networks the weights alone.
Runs where `program.py` does."""

import json
import sys
import warnings
from pathlib import Path

import nets
import torch
from safetensors.torch import save_file


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
    "encoder-base": _bert(768, 12, 12),
    "decoder-deep": _gpt(1024, 24, 16, 32000),
}


def main(folder: Path, *only: str) -> None:
    warnings.simplefilter("ignore")
    if not only:
        import write_forms
    for name in only or nets.NETS:
        torch.manual_seed(0)
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        net = nets.ALL[name]().eval()
        save_file(net.state_dict(), place / "model.safetensors")
        if name in CONFIGURATIONS:
            (place / "config.json").write_text(json.dumps(CONFIGURATIONS[name]))
        if not only and not name.startswith("decoder"):
            write_forms.export(net, name, place)
    if not only:
        write_forms.trees(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
