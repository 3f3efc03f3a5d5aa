"""How evidence becomes a verdict: dated rules, findings, and the policy a model is authorised under."""
