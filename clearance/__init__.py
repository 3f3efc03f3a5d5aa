"""Clearance: a governed machine-learning pipeline. No model ships without evidence."""

__version__ = "0.1.0"
