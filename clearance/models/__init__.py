"""Models: encoding, estimators, mitigations, thresholds, the model file, attributions."""
