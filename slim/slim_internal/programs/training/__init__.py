"""Training: settings, input, optimizers, learning rates, and the loop that ties them together."""
