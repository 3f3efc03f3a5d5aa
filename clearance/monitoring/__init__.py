"""Watching a version in use: hourly counts, looks at windows with a stated error rate, alerts, incidents.

    baseline (signed with the version) ─┐
    hourly counts (from the trail) ─────┴→ effects → judgement → look → alerts → incident, hold, stop, retrain

    counting    decisions on record as counts by the hour, and the store of the monitor
    figures     what rules read from the counts of a window; `statistics` are its distances and tests
    alerts      what follows from a look; `batch` compares two tables without a version or a log

A window is a sum of hourly counts, so it can be judged again under another policy. All looks of a year and
all rules of a look share one budget of false alarms. Nothing here trains or promotes.
"""
