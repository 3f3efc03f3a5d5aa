"""Reasons for a decision: exact contributions, profiles of applicants, and the principal reasons.

Definitions: 12 CFR 1002.9(b)(2) and its commentary; S. Lundberg and S. Lee, "A Unified Approach to
Interpreting Model Predictions", NeurIPS 30 (2017). Nothing here decides.
"""
