"""The worker process. Patching comes first: nothing else may be imported before it."""

from poussetaches.patch import patch

patch()

from poussetaches.child import main  # noqa: E402
from poussetaches.worker.pool import begin  # noqa: E402

main("worker", begin)
