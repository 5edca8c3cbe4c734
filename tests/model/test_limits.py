"""Queues and what a push may ask of them, under everything that may befall both."""

from __future__ import annotations

from tests.model.limits_machine import LimitsMachine

TestLimits = LimitsMachine.TestCase
