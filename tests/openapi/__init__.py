"""Requests made from ``/openapi.json``, valid and not, one by one and in sequences; and
whether what is answered is what the document says. schemathesis makes and judges them.

    python -m tests.openapi --examples 500
"""
