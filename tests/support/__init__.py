"""What tests, `assurance/` and `benchmarks/` build on: projects, people, ledgers and tables to test with."""
