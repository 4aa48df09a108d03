"""How each data set is made: one module each, with `plan(config, fetch) -> builder.Plan`.

A converter says what every file will hold; `conversion.convert` does what they have in common.
"""
