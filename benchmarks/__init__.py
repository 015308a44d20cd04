"""Benchmarks: commands that measure cost, as counts and ratios in one run. Never tests."""
