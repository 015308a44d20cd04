"""Attributes of scenes, and scenes laid out as the kernels' arrays."""
