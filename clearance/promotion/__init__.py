"""Promotion: proposing, deciding, promoting, rolling back and verifying a model's versions.

One command reads the evidence of a version once: `version_record` folds what the ledger holds about it,
`candidate` fetches and verifies its files, `review` judges them, and everything else is passed that review.
"""
