"""Experiments: one folder for each reproduced result, with the command that made its figures."""
