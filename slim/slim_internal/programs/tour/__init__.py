"""The tour through all programs."""
