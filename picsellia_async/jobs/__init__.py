"""Jobs that can be run again: a journal on disk tells what was delivered. Here are only the public names."""

from picsellia_async.jobs._errors import JournalError, JournalInUseError, JournalLostError
from picsellia_async.jobs.job import Job, JobReport, run
from picsellia_async.jobs.parts import MergeReport, merge, partition
from picsellia_async.jobs.predicting import Prediction, PredictReport, predict
from picsellia_async.jobs.verifying import VerifyReport, verify

__all__ = [
    "Job",
    "JobReport",
    "JournalError",
    "JournalInUseError",
    "JournalLostError",
    "MergeReport",
    "PredictReport",
    "Prediction",
    "VerifyReport",
    "merge",
    "partition",
    "predict",
    "run",
    "verify",
]
