"""Google's TPU chips: what they are by files of /sys, what they do by the metrics service of libtpu.

Known from the documentation and the source of `tpu-info` alone: it was never run on the hardware.
"""
