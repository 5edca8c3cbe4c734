"""The api process. Patching comes first: nothing else may be imported before it."""

from poussetaches.patch import patch

patch()

from poussetaches.api.service import begin  # noqa: E402
from poussetaches.child import main  # noqa: E402

main("api", begin)
