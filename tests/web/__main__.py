"""Makes the pictures of the pages: a service and a shop that is open for a while.

python -m tests.web --seconds 300 docs/page
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.support.chromium import missing, started_chromium
from tests.support.service import Service
from tests.support.shop import Shop
from tests.support.visit import Visit
from tests.web.pictures import PICTURES, Picture

#: Of the palette of a picture: enough for text, few enough for a small file.
COLOURS = 128


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=300.0, help="of a busy day")
    parser.add_argument("--only", default="", help="the name of one picture")
    options = parser.parse_args()
    if reason := missing():
        print(reason, file=sys.stderr)  # noqa: T201
        return 1
    chosen = [one for one in PICTURES if options.only in ("", one.name)]
    options.folder.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Service(Path(folder), settings={"concurrency": 16}) as service,
        Shop() as shop,
    ):
        shop.open(service)
        be_busy(service, shop, options.seconds)
        take(service, chosen, options.folder)
    return 0


def be_busy(service: Service, shop: Shop, seconds: float) -> None:
    """Have the charts show something."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        shop.go_on(service, passed)
        time.sleep(1.0)


def take(service: Service, pictures: list[Picture], folder: Path) -> None:
    with started_chromium() as browser:
        for one in pictures:
            visit = Visit(browser, service.url, look=one.look)
            visit.go(one.path if isinstance(one.path, str) else one.path(service))
            visit.page.locator(one.awaited).first.wait_for()
            if one.prepare is not None:
                one.prepare(visit.page)
            save(visit.page.screenshot(), folder / f"{one.name}.png")
            visit.close()


def save(picture: bytes, path: Path) -> None:
    """With a palette: a third of the size."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    few = image.quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
