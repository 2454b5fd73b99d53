"""Jobs that can be run again: a journal on disk tells what was delivered. Here are only the public names."""

from picsellia_async.jobs._errors import JournalError
from picsellia_async.jobs.job import Job, JobReport, run

__all__ = ["Job", "JobReport", "JournalError", "run"]
