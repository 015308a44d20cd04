"""Textures made by code: colours and gloss of materials as functions of position."""
