"""Operations of smaller architectures against published totals, and zeros of models in several files."""

import pytest
from msgspec.structs import replace

from advisor.migration.smaller import smaller_forms, zero_share
from advisor.migration.vision_nets import NETS
from collectors.entities import Model
from collectors.model_file import ModelFile
from collectors.model_geometry import Geometry
from tests.advisor.migration.migrating import BERT
from tests.advisor.migration.published import BY_ID, shape


def of_shape(geometry: Geometry) -> Model:
    file = ModelFile(path="/m/config.json", format="hf-config", size_bytes=700, geometry=geometry)
    return Model(name="m", files=(file,))


def of_net(name: str) -> Model:
    file = ModelFile(path="/m/m.onnx", format="onnx", size_bytes=1, parameters=NETS[name]().parameters)
    return Model(name="m", files=(file,))


def told(model: Model) -> dict[str, float]:
    return {one.name: round(one.operations, 3) for one in smaller_forms(model)}


def test_half_of_bert_is_what_distilbert_is():
    assert told(of_shape(BERT)) == {"6 of its 12 layers": 0.5}
    full, half = shape(BY_ID["bert-base-uncased"]), shape(BY_ID["distilbert-base"])
    assert (full.layers, half.layers) == (12, 6)
    assert told(of_shape(full)) == {"6 of its 12 layers": 0.5}
    assert told(of_shape(half)) == {"3 of its 6 layers": 0.5}


def test_what_is_no_layer_stays():
    """GPT-2 multiplies with its table as well: (85.06 / 2 + 38.6) / (85.06 + 38.6) million."""
    assert told(of_shape(shape(BY_ID["gpt2"]))) == {"6 of its 12 layers": pytest.approx(0.656, abs=1e-3)}
    whisper = told(of_shape(shape(BY_ID["whisper-small"])))
    assert whisper == {"6 of its 12 layers": pytest.approx(0.584, abs=2e-3)}


def test_layers_without_experts_are_at_most_those_that_are_left():
    found = told(of_shape(shape(BY_ID["deepseek-v3"])))
    assert list(found) == ["30 of its 61 layers"]
    assert 0.48 < found["30 of its 61 layers"] < 0.52


def test_smaller_networks_of_the_same_family_with_the_nearest_first():
    assert told(of_net("ResNet-50")) == {
        "ResNet-34": pytest.approx(3664 / 4089, abs=2e-3), "ResNet-18": pytest.approx(1814 / 4089, abs=2e-3),
    }  # fmt: skip
    assert list(told(of_net("ResNet-152"))) == ["ResNet-101", "ResNet-50", "ResNet-34", "ResNet-18"]
    assert list(told(of_net("MobileNetV2"))) == ["MobileNetV3-Large", "MobileNetV3-Small"]
    assert told(of_net("ResNet-18")) == told(of_net("MobileNetV3-Small")) == {}


@pytest.mark.parametrize(
    "geometry",
    [replace(BERT, layers=1), replace(BERT, family="unheard-of"), replace(BERT, hidden_size=None), Geometry()],
)
def test_what_is_not_known_has_no_smaller_form(geometry: Geometry):
    assert smaller_forms(of_shape(geometry)) == ()
    assert smaller_forms(Model(name="m")) == ()


def test_zeros_count_by_the_size_of_files_of_which_half_was_sampled():
    config = ModelFile(path="/m/config.json", format="hf-config", size_bytes=10_000)

    def files(*of: tuple[int, float | None]) -> Model:
        made = (
            ModelFile(path=f"/m/{n}.safetensors", format="safetensors", size_bytes=size, zero_share=share)
            for n, (size, share) in enumerate(of)
        )
        return Model(name="m", files=(config, *made))

    assert zero_share(files((300, 0.8), (100, 0.4))) == pytest.approx(0.7)
    assert zero_share(files((300, 0.8), (300, None))) == pytest.approx(0.8)
    assert zero_share(files((300, 0.8), (301, None))) is None
    assert zero_share(files((300, None))) is None
    assert zero_share(files((300, 0.0))) == 0.0
    assert zero_share(Model(name="m")) is None
