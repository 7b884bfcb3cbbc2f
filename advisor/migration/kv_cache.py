"""How much does a transformer keep of the tokens that it has seen?"""

from collectors.model_geometry import Geometry


def elements_per_token(shape: Geometry, *, expanded: bool = False) -> int | None:
    """Numbers that one token takes while no window is full. `expanded`: of latent attention the keys and values of each head,
    as servers keep them that do not know it. None where a dimension is not stated."""
    latent = shape.latent
    if latent is None:
        return shape.plain_elements_per_token
    if not shape.layers:
        return None
    if not expanded:
        return shape.layers * (latent.kv_rank + latent.rope_size)
    if not shape.heads or latent.nope_size is None or latent.value_size is None:
        return None
    return shape.layers * shape.heads * (latent.nope_size + latent.rope_size + latent.value_size)


def cache_bytes(
    shape: Geometry, tokens: int, element_bytes: float = 2.0, *, windows: bool = True, expanded: bool = False
) -> float | None:
    """Bytes of one sequence of so many tokens. `windows`: whether the server drops what is out of a layer's window. What an
    encoder leaves for each decoder layer to look at (`cross_bytes`) comes on top."""
    each = elements_per_token(shape, expanded=expanded)
    if each is None or not shape.layers:
        return None
    if not windows or shape.window is None or shape.latent is not None:
        return each * tokens * element_bytes
    within = shape.layers if shape.window_layers is None else min(shape.layers, shape.window_layers)
    kept = within * min(tokens, shape.window) + (shape.layers - within) * tokens
    return each / shape.layers * kept * element_bytes


def cross_bytes(shape: Geometry, element_bytes: float = 2.0) -> float:
    """Of one sequence, whatever is decoded: keys and values of the whole source for each decoder layer; 0 without encoder."""
    if not shape.encoder_layers or not shape.source_positions:
        return 0.0
    return (shape.plain_elements_per_token or 0) * shape.source_positions * element_bytes
