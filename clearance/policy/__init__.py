"""How evidence becomes a verdict: dated rules, findings, the policy a model is authorised under."""
