"""Attack and crash harnesses: whether the pipeline keeps its promises when somebody tries to break them.

Nothing here is timed. Each harness makes what can go wrong (hostile model files, tampered artifacts and
ledgers, planted data faults, unauthorised commands, `kill -9` at every side effect, simulated truths) and
counts what the product let through. `tests/` runs a slice of each; `make nightly` runs them whole.

    python -m assurance [study ...]      every study, or those named; fails if a promise was broken
    python -m assurance.<module> --help  one study with its own options

The harnesses may use `tests.support`; the product, `benchmarks/` and `tests.support` never import them.
"""
