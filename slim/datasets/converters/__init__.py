"""How each dataset is made: one module each, with `plan(record, config, fetch)`.

A converter says what every file will hold; `conversion.convert` does what they have in common.
"""
