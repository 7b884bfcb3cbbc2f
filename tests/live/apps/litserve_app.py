"""A LitServe script with two workers that waits, or works as `work.py` says.

python litserve_app.py PORT
"""

import sys
import time

import litserve
from work import BURN_SECONDS, who

WAIT_SECONDS = 0.15


class Waiting(litserve.LitAPI):
    def setup(self, device):
        pass

    def decode_request(self, request):
        return request

    def predict(self, request):
        if request.get("who"):
            return who()
        if request.get("burn"):
            end = time.thread_time() + BURN_SECONDS
            while time.thread_time() < end:
                sum(range(1000))
            return who()
        time.sleep(WAIT_SECONDS)
        return {"value": request["value"]}

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Waiting(), accelerator="cpu", workers_per_device=2)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
