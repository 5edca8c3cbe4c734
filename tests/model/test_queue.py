"""The queue, under everything that may befall it."""

from __future__ import annotations

from tests.model.machine import QueueMachine

TestQueue = QueueMachine.TestCase
