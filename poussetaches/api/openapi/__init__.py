"""The description of every surface as OpenAPI 3.1: ``/openapi.json``.

A file for each surface says its operations; bodies are described by the types that read
them. Tests hold it against the application's routes, against what the validators really
take, and against what a running service answers.
"""
