"""One value for several models, where they agree, differ, or are not known; and the files of each."""

import msgspec

from collectors.levers import Lever
from collectors.model_file import ModelFile
from collectors.per_model import ModelValue, common_setting, files_below
from tests.captures import facts, process

A, B = ModelValue("a", 4, "file a.pbtxt"), ModelValue("b", 8, "file b.pbtxt")


def said(*found: ModelValue) -> tuple[object, str]:
    setting = common_setting(Lever.MAX_BATCH_SIZE, found, "no model is known")
    assert setting.lever is Lever.MAX_BATCH_SIZE
    return setting.value, setting.origin


def test_models_that_agree_have_a_value_and_where_it_is_stated() -> None:
    assert said(A) == (4, "file a.pbtxt")
    assert said(ModelValue("c", 4, "default"), A) == (4, "file a.pbtxt")
    assert said(ModelValue("c", 4, "default"), ModelValue("d", 4, "default (2)")) == (4, "default")


def test_models_that_differ_have_none() -> None:
    assert said(A, B) == (None, "differs between models: a 4, b 8")


def test_one_that_is_not_known_makes_all_unknown() -> None:
    lost = ModelValue("c", None, "its file is not readable")
    assert said(lost) == (None, "its file is not readable")
    assert said(A, lost) == (None, "c: its file is not readable")
    assert said() == (None, "no model is known")


def test_files_belong_to_the_model_whose_folder_holds_them() -> None:
    one = process(10, "server")
    read = tuple(ModelFile(path=path, format="onnx", size_bytes=1) for path in ("/m/a/1/x.onnx", "/m/ab/1/x.onnx"))
    known = {one.key: msgspec.structs.replace(facts(one, environ={}, cwd="/m"), models=read)}
    assert [file.path for file in files_below("/m/a", [one], known)] == ["/m/a/1/x.onnx"]
    assert [file.path for file in files_below("ab", [one], known)] == ["/m/ab/1/x.onnx"]
    assert [file.path for file in files_below("/m/a/1/x.onnx", [one], known)] == ["/m/a/1/x.onnx"]
    assert len(files_below("/", [one], known)) == 2
    assert files_below("/m/a", [one], {}) == ()
