"""Writes data sets: plans, worker processes, restarts."""
