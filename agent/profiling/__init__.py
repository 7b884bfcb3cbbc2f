"""When is which worker profiled, within which budget, and where do its stacks go?"""
