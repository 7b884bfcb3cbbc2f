"""How many parameters follow from a transformer's dimensions, and how many of them does a token use?"""

import msgspec

from advisor.migration.families import FAMILIES, Family
from collectors.model_geometry import Geometry, Latent

_CONVOLUTION = 3
"""Width of the two convolutions before a speech encoder."""


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of weights. Layers count with all of their experts; `active_layers` with those alone that a token uses."""

    table: int
    """Input embeddings: of a token one row is read."""
    output: int
    """The layer over the vocabulary, or the classifier; 0 where there is none, or it is the table."""
    tied: bool
    """Whether the table is the output layer, too."""
    layers: int
    active_layers: int
    rest: int
    """Positions, norms, what is before and behind the layers."""

    @property
    def total(self) -> int:
        return self.table + self.output + self.layers + self.rest

    @property
    def computed(self) -> int:
        """Weights that a token is multiplied with."""
        return self.active_layers + self.output + (self.table if self.tied else 0)


def parameters_of(shape: Geometry) -> Parameters | None:
    """None where the family is not known or a dimension is not stated."""
    family = FAMILIES.get(shape.family or "")
    if family is None or not shape.layers or not shape.hidden_size or not shape.heads:
        return None
    match family.kind:
        case "vision":
            return _vision(shape, family)
        case "speech":
            return _speech(shape, family)
    return _text(shape, family)


def _text(shape: Geometry, family: Family) -> Parameters | None:
    hidden, vocabulary, inside = shape.hidden_size or 0, shape.vocabulary, _inside(shape, family)
    count = shape.layers or 0
    if not vocabulary or inside is None or (family.positions and not shape.context):
        return None
    attention = _latent_attention(shape, shape.latent) if shape.latent is not None else _attention(shape, family)
    if attention is None:
        return None
    each = attention + family.norms * family.norm_values * hidden
    dense, experts = _feed_forward(hidden, inside, family), _experts(shape, family)
    if experts is None:
        layers = active = count * (each + dense)
    else:
        first = min(count, shape.dense_layers or 0)
        layers, active = (first * (each + dense) + (count - first) * (each + one) for one in experts)
    tied = family.heads_computed and (family.tied if shape.tied is None else shape.tied)
    rest = family.norm_values * hidden * (int(family.final_norm) + int(family.embedding_norm))
    rest += (shape.context or 0) * hidden if family.positions else 0
    rest += (shape.token_types or 0) * hidden
    rest += hidden * hidden + hidden if family.pooler else 0
    output = 0 if tied or not family.heads_computed else vocabulary * hidden
    return Parameters(
        table=vocabulary * hidden, output=output, tied=tied, layers=layers, active_layers=active, rest=rest
    )


def _inside(shape: Geometry, family: Family) -> int | None:
    """Width inside the feed-forward part."""
    if shape.feed_forward is None and family.feed_forward_factor and shape.hidden_size:
        return family.feed_forward_factor * shape.hidden_size
    return shape.feed_forward


def _attention(shape: Geometry, family: Family, width: int | None = None) -> int | None:
    """`width`: of what keys and values are made of; None = the layer's own."""
    hidden, heads, size = shape.hidden_size or 0, shape.heads or 0, shape.width_of_head
    if size is None:
        return None
    queries, keys = heads * size, (shape.kv_heads or heads) * size
    found = hidden * queries + 2 * (width or hidden) * keys + queries * hidden
    found += queries * family.query_bias + keys * (family.key_bias + family.value_bias) + hidden * family.output_bias
    return found


def _latent_attention(shape: Geometry, latent: Latent) -> int | None:
    hidden, heads = shape.hidden_size or 0, shape.heads or 0
    if latent.nope_size is None or latent.value_size is None:
        return None
    key = latent.nope_size + latent.rope_size
    queries = hidden * heads * key
    if latent.q_rank is not None:
        queries = hidden * latent.q_rank + latent.q_rank + latent.q_rank * heads * key
    kept = hidden * (latent.kv_rank + latent.rope_size) + latent.kv_rank
    expanded = latent.kv_rank * heads * (latent.nope_size + latent.value_size)
    return queries + kept + expanded + heads * latent.value_size * hidden


def _feed_forward(hidden: int, inside: int, family: Family) -> int:
    return (3 if family.gated else 2) * hidden * inside + (inside + hidden if family.feed_forward_bias else 0)


def _experts(shape: Geometry, family: Family) -> tuple[int, int] | None:
    """Of a layer with experts: all of its feed-forward weights, and those that a token uses; None = it has none."""
    hidden, inside = shape.hidden_size or 0, shape.expert_feed_forward or shape.feed_forward
    if not shape.experts or not inside:
        return None
    one = _feed_forward(hidden, inside, family)
    always = (shape.shared_experts or 0) * one + shape.experts * hidden + shape.experts * family.router_bias
    return always + shape.experts * one, always + min(shape.experts, shape.active_experts or shape.experts) * one


def _layer(shape: Geometry, family: Family) -> int | None:
    """A layer of an encoder."""
    attention, inside = _attention(shape, family), _inside(shape, family)
    if attention is None or inside is None:
        return None
    hidden = shape.hidden_size or 0
    return attention + _feed_forward(hidden, inside, family) + family.norms * family.norm_values * hidden


def _vision(shape: Geometry, family: Family) -> Parameters | None:
    hidden, each = shape.hidden_size or 0, _layer(shape, family)
    if each is None or not shape.patch_size or not shape.image_size:
        return None
    patches = (shape.image_size // shape.patch_size) ** 2
    rest = (shape.channels or 3) * shape.patch_size**2 * hidden + hidden  # patches, and what stands for the image
    rest += hidden + (patches + 1) * hidden + family.norm_values * hidden
    layers, output = (shape.layers or 0) * each, (shape.classes or 0) * (hidden + 1)
    return Parameters(table=0, output=output, tied=False, layers=layers, active_layers=layers, rest=rest)


def _speech(shape: Geometry, family: Family) -> Parameters | None:
    hidden, each, cross = shape.hidden_size or 0, _layer(shape, family), _attention(shape, family)
    known = shape.vocabulary and shape.context and shape.encoder_layers and shape.source_positions and shape.channels
    if each is None or cross is None or not known:
        return None
    norm = family.norm_values * hidden
    decoder = (shape.layers or 0) * (each + cross + norm)
    encoder = (shape.encoder_layers or 0) * each
    before = _CONVOLUTION * hidden * ((shape.channels or 0) + hidden) + 2 * hidden
    rest = before + ((shape.source_positions or 0) + (shape.context or 0)) * hidden + 2 * norm
    layers = decoder + encoder
    return Parameters(
        table=(shape.vocabulary or 0) * hidden, output=0, tied=True, layers=layers, active_layers=layers, rest=rest
    )
