"""A gRPC client for the V2 protocol, run by MLServer's own environment.

    python mlserver_grpc.py PORT MODEL CONNECTIONS GOOD BAD

Prints one JSON line: how long the requests of each status took, in seconds.
"""

import json
import sys
import threading
import time

import grpc
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub


def request_of(model, value):
    tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=[1, 1])
    tensor.contents.fp32_contents.append(value)
    return pb.ModelInferRequest(model_name=model, inputs=[tensor])


def main():
    port, model = int(sys.argv[1]), sys.argv[2]
    connections, good, bad = (int(text) for text in sys.argv[3:])
    waiting = iter([1.0] * good + [-1.0] * bad)
    lock, seconds = threading.Lock(), {}

    def run():
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = GRPCInferenceServiceStub(channel)
            grpc.channel_ready_future(channel).result(30)
            while True:
                with lock:
                    value = next(waiting, None)
                if value is None:
                    return
                began = time.perf_counter()
                try:
                    stub.ModelInfer(request_of(model, value), timeout=60)
                    code = "OK"
                except grpc.RpcError as error:
                    code = error.code().name
                took = time.perf_counter() - began
                with lock:
                    seconds.setdefault(code, []).append(took)

    threads = [threading.Thread(target=run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(seconds), flush=True)


main()
