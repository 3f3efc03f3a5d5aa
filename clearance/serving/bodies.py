"""The body of a request, within its limits: bytes, time, media type."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from clearance.serving import faults, strict_json

LARGEST = 4 * 1024 * 1024
"""Bytes of a body."""
SECONDS = 10.0
"""Seconds within which a whole body arrives."""


async def read_json(
    request: Request, largest: int = LARGEST, seconds: float = SECONDS
) -> tuple[bytes, object]:
    """The bytes of the body and the JSON value in them. Raises DataError for anything else.

    A client of the open inference protocol may leave the media type out, as some do.
    """
    unstated = request.url.path.startswith("/v2/") and "content-type" not in request.headers
    media_type, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('"')
    if not unstated and (media_type.strip() != "application/json" or charset not in {"", "utf-8"}):
        raise faults.WRONG_MEDIA_TYPE()
    body = await _read(request, largest, seconds)
    return body, strict_json.parse(body)


async def _read(request: Request, largest: int, seconds: float) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > largest:
        raise faults.BODY_TOO_LARGE(limit=largest)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > largest:
                    raise faults.BODY_TOO_LARGE(limit=largest)
                parts.append(part)
    except TimeoutError:
        raise faults.BODY_TOO_SLOW(seconds=seconds) from None
    except ClientDisconnect:
        raise faults.BODY_TOO_SLOW(seconds=seconds) from None
    return b"".join(parts)
