"""All the faults, in the order in which they are tried."""

from __future__ import annotations

from tests.faults import clients, clocks, disk, kills, receivers, soak, stops, store
from tests.faults.fault import Fault

FAULTS: list[Fault] = [
    kills.SupervisorKilled(),
    kills.ApiKilled(),
    kills.WorkerKilled(),
    kills.WorkerStopped(),
    kills.WorkerDiesAtOnce(),
    kills.WorkerOutOfMemory(),
    kills.DumpWriterKilled(),
    kills.Frozen(),
    stops.Restarted(),
    stops.StoppedInHaste(),
    store.PowerCut(),
    store.ProcessEnded(),
    store.JournalCut(),
    store.BitFlipped(),
    store.Garbage(),
    disk.SyncFails(),
    disk.SyncIsSlow(),
    disk.DiskFull(),
    receivers.Answers500(),
    receivers.ClosesWithoutAnswer(),
    receivers.ResetsInAnswer(),
    receivers.Drips(),
    receivers.Redeployed(),
    clients.GarbageAtPort(),
    clients.NoDescriptors(),
    clocks.ClockSet(),
]
#: Runs for as long as it is told to, after the others.
SOAK: Fault = soak.Soak()
