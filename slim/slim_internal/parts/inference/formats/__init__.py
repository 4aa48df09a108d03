"""The kinds of file that hold a network: how each is written and read.

Writing and reading stand together, because no file gets its final name before it was read again,
and because whatever is exported can be used by the other programs.
"""
