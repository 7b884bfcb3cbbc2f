"""What do the headers of model files say? One file per format; nothing is loaded, run or unpickled."""

from collectors.model_headers.read import read_model_file
from collectors.model_headers.source import Budget

__all__ = ["Budget", "read_model_file"]
