"""Durability: the journal, the dumps, and what recovery makes of them.

Only the supervisor opens a store.
"""
