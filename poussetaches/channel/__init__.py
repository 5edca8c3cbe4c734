"""The wire between the supervisor and its children: the protocol.

A channel is a Unix stream socket pair; the supervisor has one end of each. What travels
is frames; a frame carries every message that one side had to say at that moment::

    frame     length    u32, big-endian, of what follows; at most MAX_FRAME
              messages  msgpack array of messages
    message   msgpack array: its code, then its fields in the order of ``messages.py``

The conversation::

    child                                    supervisor
      │ ◄───────────────────────── Configure ────┤  first; api: again if keys change
      │ ◄──────────────────────────── Queues ────┤  then, and at every change of one
      ├──── Ready (slots) | CannotStart ───────► │  once
      ├──── Heartbeat ─────────────────────────► │  every few seconds, whatever happens
      │ ◄──────────────────────────────── Pulse ─┤  api: the answer; and when it matters
      │                                          │
      ├──── Push | Call (number) ──────────────► │  api: asks
      │ ◄──────────────────────── Reply (number) ┤  answered when it is on disk
      │                                          │
      │ ◄───────────────────────── Lease ────────┤  worker: as many as it has slots
      ├──── Ended (lease) ─────────────────────► │  exactly one for each lease
      │                                          │
      │ ◄───────────────────────── Stop ─────────┤  finish by leaving

Either side leaves when the socket ends: a child without a supervisor has nothing to do.
Whoever breaks the protocol (a frame too long, no such message) is disconnected.
"""
