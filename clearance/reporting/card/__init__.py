"""The model card: what a version is, is for, and was measured to do, each sentence falsifiable."""
