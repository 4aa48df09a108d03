"""Fetching files over HTTP and unpacking archives, safely; knows nothing of datasets."""
