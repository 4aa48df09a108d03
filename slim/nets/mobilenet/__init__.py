"""MobileNet v2 and v3: tables of blocks, and the one body that builds a network from a table."""
