"""Notifies people of a run that did not end well. Off until `CLEARANCE_NOTIFY_URL` holds an Apprise address.

Such an address stands for mail, a chat or a web hook (`json://host/path`).
"""

from __future__ import annotations

import os


def send(title: str, body: str) -> bool:
    """Whether the notification could be sent, or none is wanted."""
    url = os.environ.get("CLEARANCE_NOTIFY_URL")
    if not url:
        return True
    import apprise  # which imports a hundred services

    return bool(apprise.Apprise([url]).notify(title=title, body=body or title))
