"""Encoded images: what a file is, and its pixels."""
