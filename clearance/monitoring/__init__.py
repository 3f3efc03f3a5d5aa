"""Watching a version in use: hourly counts, looks at windows with a stated error rate, alerts, incidents.

    baseline (signed with the version) ─┐
    hourly counts (from the trail) ─────┴→ effects → judgement → look → alerts → incident, hold, stop, retrain

A window is a sum of hourly counts, so it can be judged again under another policy. All looks of a year and
all rules of a look share one budget of false alarms. Nothing here trains or promotes.
"""
