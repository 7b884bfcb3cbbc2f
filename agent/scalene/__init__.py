"""`nodewright profile --scalene`: a program is started again under scalene, for what each of its source lines costs.

scalene cannot attach to a running process: the signal that switches it on kills a stranger. So it is a tool that starts
the program, in the program's own Python, where scalene must be installed.
"""
