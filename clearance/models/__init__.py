"""What is fitted: encoding, estimators, mitigation, thresholds, the model file, attributions."""
