"""A service that has keys."""

from __future__ import annotations

import requests

from tests.support.service import Service

KEY, READ = "s3cret-" + "k" * 16, "s3cret-" + "r" * 16


class Guarded(Service):
    """Not to be asked for its state without one. Say which in ``environment``."""

    def _answers(self) -> bool:
        assert self.process is not None
        status = self.process.poll()
        assert status is None, f"the service ended with status {status}\n{self.log}"
        try:
            return self.get("/ready", timeout=2).status_code == 200
        except requests.RequestException:
            return False


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
