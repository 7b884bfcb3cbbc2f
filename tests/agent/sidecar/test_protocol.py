"""Frames carry every message unchanged, and what is no frame is named as such."""

import socket

import pytest

from agent.framing import FRAME_LIMIT_BYTES, BadFrame, frame_bytes, receive
from agent.sidecar.protocol import (
    CostReply,
    CostRequest,
    FactsReply,
    FactsRequest,
    Hello,
    HelloReply,
    MemoryReply,
    MemoryRequest,
    Refusal,
    to_frame,
    to_reply,
    to_request,
)
from collectors.entities import WorkerKey
from collectors.facts import Environ, Library, Limits, Listening, ProcessFacts, SettingsFile, unreadable_facts
from collectors.framework import SettingsRequest
from collectors.inside.memory import ProcessMemory
from collectors.reading import Unsupported

KEY = WorkerKey(5, 6)
FACTS = ProcessFacts(
    key=KEY,
    environ=Environ({"OMP_NUM_THREADS": "1"}),
    libraries=(Library("mkl", "/a/libmkl_rt.so"),),
    model_files=("/m.gguf",),
    cwd="/app",
    exe="/usr/bin/python3",
    listening=(Listening("::1", 80, 7),),
    settings_files=(
        SettingsFile("s", "/s.json", True, {"a": 1, "b": None, "c": 1.5, "d": True, "e": "x", "f": 2**63}),
    ),
    limits=Limits(cpu_quota_cores=1.5),
)
MEMORY = ProcessMemory(
    resident_bytes=5, proportional_bytes=4, private_bytes=3, private_dirty_bytes=2, swapped_bytes=None
)


@pytest.mark.parametrize(
    "request_",
    [
        Hello(),
        CostRequest(),
        MemoryRequest(KEY),
        FactsRequest(KEY, (SettingsRequest(name="s", pattern="*/s.json", keys=("a.b",)),)),
    ],
)
def test_each_request_arrives_as_it_was(request_: Hello | CostRequest | MemoryRequest | FactsRequest) -> None:
    assert to_request(to_frame(request_)[4:]) == request_


@pytest.mark.parametrize(
    "reply",
    [
        HelloReply(version="1", capabilities=("facts",), missing=("CAP_SYS_PTRACE",)),
        FactsReply(FACTS),
        FactsReply(unreadable_facts(KEY, "no", "do")),
        MemoryReply(KEY, MEMORY),
        MemoryReply(KEY, Unsupported("no", "do")),
        CostReply(cpu_seconds=1.5, resident_bytes=None),
        Refusal(key="a.b", message="m", hint="h"),
    ],
)
def test_each_reply_arrives_as_it_was(reply: HelloReply | FactsReply | MemoryReply | CostReply | Refusal) -> None:
    assert to_reply(to_frame(reply)[4:]) == reply


@pytest.mark.parametrize("header", [b"\0\0\0\0", b"\xff\xff\xff\xff", (FRAME_LIMIT_BYTES + 1).to_bytes(4, "big")])
def test_a_length_outside_the_limits_is_a_bad_frame(header: bytes) -> None:
    with pytest.raises(BadFrame, match="are allowed"):
        frame_bytes(header)


def test_a_message_that_does_not_fit_is_a_bad_frame() -> None:
    with pytest.raises(BadFrame, match="longer than a frame"):
        to_frame(Refusal(key="k", message="x" * FRAME_LIMIT_BYTES, hint=""))


@pytest.mark.parametrize("body", [b"", b"garbage", b"{}", b'{"type":"run","command":"x"}', b"[" * 100000, b"\xff"])
def test_garbage_is_a_bad_frame(body: bytes) -> None:
    with pytest.raises(BadFrame):
        to_request(body)
    with pytest.raises(BadFrame):
        to_reply(body)


def test_a_stream_that_ends_between_frames_ends_and_inside_one_is_broken() -> None:
    for sent, error in ((b"", None), (b"\0\0", BadFrame), (b"\0\0\0\5{}", BadFrame), (b"\0\0\0\5", BadFrame)):
        ours, theirs = socket.socketpair()
        with ours:
            theirs.sendall(sent)
            theirs.close()
            if error is None:
                assert receive(ours) is None
            else:
                with pytest.raises(error, match="ended inside"):
                    receive(ours)


def test_a_frame_in_pieces_is_put_together() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for byte in to_frame(Hello()):
            theirs.sendall(bytes([byte]))
        assert receive(ours) == b'{"type":"hello"}'
