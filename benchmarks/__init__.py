"""Measurements, each one command; what they find is written to benchmarks/results/."""
