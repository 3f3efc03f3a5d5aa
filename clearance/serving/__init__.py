"""The decision server: the champion answers with reasons, every answer is on record before it leaves."""
