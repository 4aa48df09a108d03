"""8-bit arithmetic, simulated in a graph of floats: training gets used to what rounding does.

B. Jacob et al.: Quantization and training of neural networks for efficient integer-arithmetic-only
inference, arXiv:1712.05877. `kinds` says what operations are to 8-bit arithmetic, `layout` where
values are rounded and which of them need equal ranges, `ranges` what their ranges are, `simulation`
rewrites the graph.
"""
