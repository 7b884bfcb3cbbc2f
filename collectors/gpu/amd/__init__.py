"""AMD's devices by AMD SMI. Only the reader process imports what is here.

Known from the documentation and the source of AMD SMI (ROCm 6 and 7) alone: it was never run on the hardware.
"""
