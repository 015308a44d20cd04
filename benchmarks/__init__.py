"""Benchmarks: commands that measure cost, as counts and as ratios within one run. They are not tests."""
