"""The worker: leases tasks from the supervisor, pushes each to its target, reports."""
