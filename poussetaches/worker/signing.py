"""Signatures of deliveries: Standard Webhooks 1.0.0, symmetric (``v1``).

A target that has the secret knows by them that a request is from this service, that
nobody changed its body, and when it was sent. With two secrets there are two
signatures, and each of the targets may have either: so a secret can be replaced without
a moment in which one of them is refused.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence

from poussetaches.channel.messages import Lease
from poussetaches.model.request_head import Headers


class Signer:
    """``secrets``: the bytes of at least one."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = tuple(secrets)

    def headers(self, lease: Lease, body: bytes, now: float) -> Headers:
        """What signs ``body``, the very bytes that are sent. ``now``: posix seconds.

        The id is that of the task, so that all its attempts have the same; the runs of
        a schedule, which share theirs, have the moment of the run in it.
        """
        id = f"{lease.id}_{int(lease.slot)}" if lease.slot else lease.id
        timestamp = str(int(now))
        return (
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", self.sign(id, timestamp, body)),
        )

    def sign(self, id: str, timestamp: str, body: bytes) -> str:
        """One signature for each secret, with blanks between them."""
        signed = b"%b.%b.%b" % (id.encode(), timestamp.encode(), body)
        return " ".join(
            "v1," + b64encode(hmac.digest(secret, signed, "sha256")).decode()
            for secret in self._secrets
        )
