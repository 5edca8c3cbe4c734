"""The parent process: the one owner of queue, limits, schedules and children.

A plain single-threaded ``selectors`` loop: no gevent, no threads, no HTTP in here.
"""
