"""The inference log: the durable trail of every decision a model makes, and of everybody who looks at one.

    with inference_log.open(address, key_path) as log:
        receipt, = log.append(Inference(caller=..., model=..., policy=..., input=..., ...))
        await log.aio.append(...)                       # the same for asyncio, without a thread a request

A record is durable before `append` returns; concurrent callers share one commit. Records are chained by
hash, and their content is sealed under the key of its subject: destroying the key erases it, and the chain
still verifies. Nothing is ever dropped silently: the store is away, full or locked, and the caller gets a
coded fault. Every read is a record itself. This room imports no model and decides nothing.
"""

from clearance.inference_log.log import AsyncInferenceLog, InferenceLog, audit, open  # noqa: A004
from clearance.inference_log.records import (
    Erasure,
    Inference,
    ModelReference,
    PolicyReference,
    Read,
    Record,
    RecordKind,
    Refusal,
    Replay,
    Review,
    ShadowScore,
    new_id,
)
from clearance.inference_log.spool import SpoolSettings
from clearance.inference_log.transaction import Receipt, Stored
from clearance.inference_log.verification import Finding, InferenceLogFault, InferenceLogReport

__all__ = [
    "AsyncInferenceLog",
    "Erasure",
    "Finding",
    "Inference",
    "InferenceLog",
    "InferenceLogFault",
    "InferenceLogReport",
    "ModelReference",
    "PolicyReference",
    "Read",
    "Receipt",
    "Record",
    "RecordKind",
    "Refusal",
    "Replay",
    "Review",
    "ShadowScore",
    "SpoolSettings",
    "Stored",
    "audit",
    "new_id",
    "open",
]
