"""The sidecar as a program of its own: `program.py (--fd N | --socket PATH)`."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from agent.sidecar.main import run_sidecar
from collectors.host import Host

parser = argparse.ArgumentParser()
parser.add_argument("--fd", type=int)
parser.add_argument("--socket")
options = parser.parse_args()
sys.exit(run_sidecar(options.socket, options.fd, None, Host.real()))
