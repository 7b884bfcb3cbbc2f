"""Which work should run on another device: does it fit, how fast would it be, and what does it cost?"""
