"""The public JSON: what comes in becomes a task, a task becomes what goes out.

The only place that knows public field names; the first ancestor's words (``tries``,
``next_run``, ``last_error_body`` ...) live here and nowhere else. A file for each noun;
others take what they need from here, whichever file it is in.
"""

from poussetaches.schema.attempt import History
from poussetaches.schema.batch import MOST_PUSHES, MOST_SCHEDULES, parse_batch
from poussetaches.schema.body import LONGEST_KEY, MOST_RETRIES, PushBody
from poussetaches.schema.edit import Edit, parse_edit
from poussetaches.schema.expected import FIRST_STATUS, LAST_STATUS
from poussetaches.schema.follow_ups import parse_follow_ups
from poussetaches.schema.group import GroupView, group_json
from poussetaches.schema.how import check_json
from poussetaches.schema.job import job_json, parse_job
from poussetaches.schema.json import encode
from poussetaches.schema.mask import meant_headers, meant_url
from poussetaches.schema.message import parse_message, read_message
from poussetaches.schema.origin import OriginView, origin_json, parse_lift
from poussetaches.schema.push import (
    LONGEST_DELAY,
    PushRequest,
    Queues,
    new_id,
    parse_push,
)
from poussetaches.schema.queue import parse_queue, queue_json
from poussetaches.schema.report import report_json
from poussetaches.schema.schedule import (
    ScheduleView,
    rehearsal_json,
    schedule_json,
)
from poussetaches.schema.selection import (
    DEAD_FILTERS,
    FILTERS,
    STATES,
    Selection,
    clearing_cursor,
    parse_filter,
    parse_selection,
    parse_states,
    read_selection,
)
from poussetaches.schema.stats import QueueNumbers, history_json, stats_json
from poussetaches.schema.task import NANOSECONDS, TaskView, push_json, task_json
from poussetaches.schema.trace import read_trace, with_trace
from poussetaches.schema.why import WhyView, why_json

__all__ = [
    "DEAD_FILTERS",
    "FILTERS",
    "FIRST_STATUS",
    "LAST_STATUS",
    "LONGEST_DELAY",
    "LONGEST_KEY",
    "MOST_PUSHES",
    "MOST_RETRIES",
    "MOST_SCHEDULES",
    "NANOSECONDS",
    "STATES",
    "Edit",
    "GroupView",
    "History",
    "OriginView",
    "PushBody",
    "PushRequest",
    "QueueNumbers",
    "Queues",
    "ScheduleView",
    "Selection",
    "TaskView",
    "WhyView",
    "check_json",
    "clearing_cursor",
    "encode",
    "group_json",
    "history_json",
    "job_json",
    "meant_headers",
    "meant_url",
    "new_id",
    "origin_json",
    "parse_batch",
    "parse_edit",
    "parse_filter",
    "parse_follow_ups",
    "parse_job",
    "parse_lift",
    "parse_message",
    "parse_push",
    "parse_queue",
    "parse_selection",
    "parse_states",
    "push_json",
    "queue_json",
    "read_message",
    "read_selection",
    "read_trace",
    "rehearsal_json",
    "report_json",
    "schedule_json",
    "stats_json",
    "task_json",
    "why_json",
    "with_trace",
]
