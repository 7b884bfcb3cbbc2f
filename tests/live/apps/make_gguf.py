"""Writes a llama model with random weights, small enough for a test: 2 layers, 64 wide, bytes as its vocabulary.

python make_gguf.py FILE
"""

import sys

import gguf
import numpy as np

LAYERS, WIDTH, HEADS, INNER, CONTEXT = 2, 64, 4, 128, 4096
BYTES = [f"<0x{value:02X}>" for value in range(256)]
TOKENS = ["<unk>", "<s>", "</s>", *BYTES, "▁"]
TYPES = [2, 3, 3, *[6] * len(BYTES), 1]

random = np.random.default_rng(7)
writer = gguf.GGUFWriter(sys.argv[1], "llama")
writer.add_name("tiny")
writer.add_context_length(CONTEXT)
writer.add_embedding_length(WIDTH)
writer.add_block_count(LAYERS)
writer.add_feed_forward_length(INNER)
writer.add_head_count(HEADS)
writer.add_head_count_kv(HEADS)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_dimension_count(WIDTH // HEADS)
writer.add_vocab_size(len(TOKENS))
writer.add_tokenizer_model("llama")
writer.add_token_list(TOKENS)
writer.add_token_scores([0.0] * len(TOKENS))
writer.add_token_types(TYPES)
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_unk_token_id(0)


def add(name: str, *shape: int) -> None:
    writer.add_tensor(name, random.normal(0, 0.05, shape).astype(np.float32))


def add_ones(name: str) -> None:
    writer.add_tensor(name, np.ones(WIDTH, dtype=np.float32))


add("token_embd.weight", len(TOKENS), WIDTH)
add("output.weight", len(TOKENS), WIDTH)
add_ones("output_norm.weight")
for layer in range(LAYERS):
    add_ones(f"blk.{layer}.attn_norm.weight")
    add_ones(f"blk.{layer}.ffn_norm.weight")
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        add(f"blk.{layer}.{part}.weight", WIDTH, WIDTH)
    add(f"blk.{layer}.ffn_gate.weight", INNER, WIDTH)
    add(f"blk.{layer}.ffn_up.weight", INNER, WIDTH)
    add(f"blk.{layer}.ffn_down.weight", WIDTH, INNER)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
