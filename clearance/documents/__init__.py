"""The evidence documents: what each stage writes, typed, with one reader per document."""
