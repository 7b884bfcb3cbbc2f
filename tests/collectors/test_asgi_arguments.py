"""Applications and addresses as they stand on the command lines of Python's web servers."""

import pytest

from collectors.servers.asgi_arguments import application_item, application_name, bound_port, is_elsewhere
from tests.captures import facts, process


@pytest.mark.parametrize(
    ("words", "item"),
    [
        (["shop.wsgi:app"], "shop.wsgi:app"),
        (["shop.wsgi:create_app('x')"], "shop.wsgi:create_app('x')"),
        (["first", "a:b"], "a:b"),
        (["wsgi"], "wsgi"),
        ([], ""),
    ],
)
def test_the_application_is_the_word_with_a_colon_or_the_last(words: list[str], item: str) -> None:
    assert application_item(words) == item


def test_the_application_is_named_by_module_folder_or_server() -> None:
    one = process(1, "uvicorn")
    known = {one.key: facts(one, cwd="/srv/shop/")}
    assert application_name("shop.main:app", one.key, known, "uvicorn") == "shop.main"
    assert application_name("", one.key, known, "uvicorn") == "shop"
    assert application_name("", one.key, {}, "uvicorn") == "uvicorn"


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("127.0.0.1:9000", 9000), ("[::1]:9001", 9001), (":9002", 9002), ("0.0.0.0", 8000), ("[::]", 8000),
        ("localhost:0", None), ("unix:/run/a.sock", None), ("fd://3", None),
    ],
)  # fmt: skip
def test_the_port_of_an_address(address: str, port: int | None) -> None:
    assert bound_port(address, 8000) == port


def test_sockets_and_descriptors_are_elsewhere() -> None:
    assert is_elsewhere("unix:/run/a.sock")
    assert is_elsewhere("fd://3")
    assert not is_elsewhere("127.0.0.1:80")
