"""Writes datasets: plans, worker processes, restarts."""
