"""What can be wrong with a journal."""

from picsellia_async.errors import PicselliaError


class JournalError(PicselliaError):
    """The journal of a job cannot be opened, read or written; the message names the file."""


class JournalInUseError(JournalError):
    """Another run has the journal open."""


class JournalLostError(JournalError):
    """The file of the journal was removed, moved or replaced while a run had it open: the next run does not know what this one did."""
