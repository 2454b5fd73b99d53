"""The vendor's public reference of `Deployment`, held against ours: names, parameters, examples.

Here belong the reference's method list, its signatures and its examples as data, and the tests that hold them.
"""
