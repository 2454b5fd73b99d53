"""The vendor's SDK and ours make the same calls; what reaches the wire must be the same.

Here belong: the recorder, the table of calls, and the tests that read the table. Not here: promises that only our
client makes (tests/client) or only our emulator makes (tests/emulator).
"""
