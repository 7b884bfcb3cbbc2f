"""An address says where to listen and whether only this machine can connect."""

import pytest

from agent.listen import Listen, parse_listen


@pytest.mark.parametrize(
    ("text", "address", "loopback"),
    [
        ("127.0.0.1:9753", Listen(host="127.0.0.1", port=9753), True),
        ("127.8.8.8:1", Listen(host="127.8.8.8", port=1), True),
        ("localhost:0", Listen(host="localhost", port=0), True),
        ("[::1]:9753", Listen(host="::1", port=9753), True),
        ("0.0.0.0:9753", Listen(host="0.0.0.0", port=9753), False),
        ("[::]:9753", Listen(host="::", port=9753), False),
        ("10.0.0.7:80", Listen(host="10.0.0.7", port=80), False),
        ("localhost.evil.example:80", Listen(host="localhost.evil.example", port=80), False),
        ("unix:/run/n/a.sock", Listen(path="/run/n/a.sock"), True),
    ],
)
def test_an_address_is_read_and_written_back(text, address, loopback):
    assert parse_listen(text) == address
    assert str(address) == text
    assert address.loopback is loopback


@pytest.mark.parametrize(
    "text", ["", "9753", ":9753", "host:", "host:http", "host:70000", "host:-1", "::1:9753", "unix:", "a b:1",
             "unix:/" + "x" * 108, "host:٣"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match=r"address|port|host|path"):
        parse_listen(text)
