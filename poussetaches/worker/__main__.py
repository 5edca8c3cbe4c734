"""The worker process. Patching comes first: nothing may be imported before it."""

from gevent import monkey

monkey.patch_all()

from poussetaches.child import main  # noqa: E402
from poussetaches.worker.pool import begin  # noqa: E402

main("worker", begin)
