"""The remote hosts as services: the account and the platform, monitoring, serving, object storage, and how lists are paged."""
