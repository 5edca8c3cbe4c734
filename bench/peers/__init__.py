"""The same work on poussetaches and on other task queues: ``python -m bench.peers``.

A task is one message in and one HTTP POST out, to the receiver of ``bench.receiver``,
everything on the same machine. What each queue is given stands in
``subjects.py`` and in the modules of ``application``; what is measured, in
``measuring.py``.
"""
